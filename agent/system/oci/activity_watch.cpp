// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/activity_watch.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds between_looks{100};
constexpr std::int64_t longest_poll_ms = 3'600'000;  // poll(2) takes an int

}  // namespace

ActivityWatch::ActivityWatch(const std::filesystem::path& folder, Calls calls, const Limits& limits,
                             const std::stop_token& outer)
    : calls_{std::move(calls)},
      limits_{limits},
      inotify_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)},
      over_{::eventfd(0, EFD_CLOEXEC)},
      pass_on_{outer, [this] { end_.request_stop(); }}
{
    constexpr std::uint32_t growth = IN_CREATE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    if (!inotify_ || !over_ || ::inotify_add_watch(inotify_.get(), folder.c_str(), growth) < 0) {
        throw errno_error("can't watch " + folder.string() + " (fs.inotify.max_user_instances and _watches limit that)",
                          errno);
    }
    thread_ = std::jthread{[this] { watch(); }};
}

ActivityWatch::~ActivityWatch()
{
    ::eventfd_write(over_.get(), 1);
    thread_.join();
}

bool ActivityWatch::wait(Clock::time_point until)
{
    std::array<pollfd, 2> watched{pollfd{over_.get(), POLLIN, 0}, pollfd{inotify_.get(), POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    ::poll(watched.data(), watched.size(),
           static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, longest_poll_ms)));
    alignas(inotify_event) std::array<char, 4096> events;  // NOLINT: filled by read
    while (::read(inotify_.get(), events.data(), events.size()) > 0) {
    }
    return watched[0].revents == 0;
}

bool ActivityWatch::look(Clock::time_point& last_progress, std::uint64_t& seen)
{
    const auto bytes = calls_.arrived();
    calls_.passed(bytes);
    const auto now = Clock::now();
    if (bytes >= seen + limits_.least || bytes < seen) {  // fewer: something began anew
        seen = bytes;
        last_progress = now;
    } else if (now - last_progress >= limits_.stall) {
        stalled_ = true;
        end_.request_stop();
        return false;
    }
    // A fast download writes thousands of times a second, and nobody reads that fast.
    pollfd over{over_.get(), POLLIN, 0};
    return ::poll(&over, 1, static_cast<int>(between_looks.count())) == 0;
}

void ActivityWatch::watch() noexcept
{
    try {
        auto last_progress = Clock::now();
        std::uint64_t seen = 0;
        while (wait(last_progress + limits_.stall) && look(last_progress, seen)) {
        }
    } catch (...) {  // of `arrived` or `passed`: better an end than a wait without one
        end_.request_stop();
    }
}

}  // namespace banger::agent
