// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/user_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "common/error.hpp"

namespace banger::broker {

/// Not IN_MODIFY: a file that is written in place is half there then.
UserWatch::UserWatch(EventLoop& loop, std::function<void()> changed, const std::string& folder)
    : inotify_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)}, changed_{std::move(changed)}
{
    if (!inotify_ ||
        ::inotify_add_watch(inotify_.get(), folder.c_str(), IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR) < 0) {
        throw errno_error("can't watch the users in " + folder + " (fs.inotify.max_user_instances limits that)", errno);
    }
    source_ = loop.on_io(inotify_.get(), EventLoop::readable, [this](std::uint32_t) { read(); });
}

void UserWatch::read()
{
    alignas(inotify_event) std::array<char, 4096> buffer;
    const auto got = ::read(inotify_.get(), buffer.data(), buffer.size());  // the rest comes with the loop's next round
    bool worth = false;
    for (ssize_t at = 0; at < got;) {
        const auto* const event = reinterpret_cast<const inotify_event*>(&buffer[static_cast<std::size_t>(at)]);
        const bool is_named = event->len > 0 && std::string_view{event->name} == "passwd";
        worth |= is_named || (event->mask & IN_Q_OVERFLOW) != 0;
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    if (worth) {
        changed_();
    }
}

}  // namespace banger::broker
