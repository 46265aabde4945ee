// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/folder_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"

namespace banger::agent {

FolderWatch::FolderWatch(EventLoop& loop, const std::filesystem::path& folder,
                         std::function<void(std::string_view)> changed)
    : inotify_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)}, changed_{std::move(changed)}
{
    if (!inotify_ || ::inotify_add_watch(inotify_.get(), folder.c_str(), IN_CREATE | IN_MODIFY | IN_ONLYDIR) < 0) {
        throw errno_error("can't watch " + folder.string() + " (fs.inotify.max_user_instances and _watches limit that)",
                          errno);
    }
    source_ = loop.on_io(inotify_.get(), EventLoop::readable, [this](std::uint32_t) { read(); });
}

void FolderWatch::read()
{
    alignas(inotify_event) std::array<char, 4096> buffer;
    const auto got = ::read(inotify_.get(), buffer.data(), buffer.size());  // the rest comes with the loop's next round
    const auto changed = changed_;
    const std::weak_ptr<bool> alive = alive_;
    for (std::size_t at = 0; got > 0 && at < static_cast<std::size_t>(got) && !alive.expired();) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        at += sizeof *event + event->len;
        if (event->len > 0) {
            changed(event->name);
        }
    }
}

}  // namespace banger::agent
