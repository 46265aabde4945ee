// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <thread>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// Watches, on a thread of its own, files grow that a program writes; where they don't for too long, it asks for that program's end. The kernel tells
/// of each write (inotify), so nothing is looked at while nothing happens.
class ActivityWatch {
public:
    struct Limits {
        std::chrono::milliseconds stall;
        std::uint64_t least;  ///< bytes that must arrive within it
    };
    struct Calls {
        std::function<std::uint64_t()> arrived;     ///< bytes so far
        std::function<void(std::uint64_t)> passed;  ///< told of them, ten times a second at most
    };

    /// `folder`: where the files are written. `outer`: another wish for an end, which is passed on. Throws Failed.
    ActivityWatch(const std::filesystem::path& folder, Calls calls, const Limits& limits, const std::stop_token& outer);
    ActivityWatch(const ActivityWatch&) = delete;
    ActivityWatch& operator=(const ActivityWatch&) = delete;
    ~ActivityWatch();

    std::stop_token stop_token() const noexcept { return end_.get_token(); }
    /// Whether it was this that asked for the end.
    bool stalled() const noexcept { return stalled_; }

private:
    using Clock = std::chrono::steady_clock;

    void watch() noexcept;
    bool wait(Clock::time_point until);
    /// False: the watch is over.
    bool look(Clock::time_point& last_progress, std::uint64_t& seen);

    Calls calls_;
    Limits limits_;
    UniqueFd inotify_;
    UniqueFd over_;  ///< eventfd
    std::stop_source end_;
    std::stop_callback<std::function<void()>> pass_on_;
    std::atomic<bool> stalled_{false};
    std::jthread thread_;
};

}  // namespace banger::agent
