// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/core/task.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

/// Looks whether the number of this user has been given to another one, who must not come by the VMs that still run: they are his processes by
/// then. A user who is merely gone changes nothing here: a directory server that doesn't answer looks the same, and nobody else can reach them.
/// Loop thread; outlives the loop's run.
class UserWatch {
public:
    struct Hooks {
        std::function<Task<std::string>()> heir;             ///< the name of the other user; empty: there is none
        std::function<void(const std::string& heir)> found;  ///< again each time, for as long as it is so
    };
    static constexpr std::chrono::milliseconds usual_interval{60'000};

    UserWatch(EventLoop& loop, Hooks hooks, std::chrono::milliseconds interval = usual_interval);

private:
    void look_later();
    Task<void> look();

    EventLoop* loop_;
    Hooks hooks_;
    std::chrono::milliseconds interval_;
    EventLoop::Source timer_;
};

}  // namespace banger::agent
