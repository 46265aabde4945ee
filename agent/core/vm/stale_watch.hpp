// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "agent/core/vm/vm.hpp"

namespace banger::agent {

/// Ends VMs that nobody uses: auto_stop_stale_after. It wakes when the first of them may have been unused for so long, and not in between.
/// Loop thread.
class StaleWatch {
public:
    struct Hooks {
        std::function<std::vector<VmPtr>()> vms;
        std::function<void(const VmPtr&)> stop;
    };
    StaleWatch(EventLoop& loop, Hooks hooks) : loop_{&loop}, hooks_{std::move(hooks)} {}

    /// 0: never.
    void set_limit(std::chrono::milliseconds limit);
    /// A VM has changed: it may run now.
    void notice(const VmPtr& vm);

private:
    void look();

    EventLoop* loop_;
    Hooks hooks_;
    std::chrono::milliseconds limit_{0};
    EventLoop::Source timer_;
};

}  // namespace banger::agent
