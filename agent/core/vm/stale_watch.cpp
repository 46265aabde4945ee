// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/stale_watch.hpp"

#include <algorithm>
#include <optional>

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

/// Also one that says goodbye and goes on.
bool can_be_stale(const VmPtr& vm)
{
    return vm->running && vm->running->ready_once && vm->running->link && vm->record.state == VmState::Running;
}

milliseconds unused_for(const VmPtr& vm)
{
    const auto unused = std::chrono::steady_clock::now() - vm->running->link->last_use();
    return std::chrono::duration_cast<milliseconds>(unused);
}

}  // namespace

void StaleWatch::set_limit(milliseconds limit)
{
    if (std::exchange(limit_, limit) != limit) {
        look();
    }
}

/// With a timer on its way nothing is to be done: one that is ready just now can't be stale before it fires.
void StaleWatch::notice(const VmPtr& vm)
{
    if (limit_.count() > 0 && !timer_ && can_be_stale(vm)) {
        look();
    }
}

void StaleWatch::look()
{
    timer_.reset();
    if (limit_.count() == 0) {
        return;
    }
    std::optional<milliseconds> next;
    for (const auto& vm : hooks_.vms()) {
        if (!can_be_stale(vm)) {
            continue;
        }
        const auto left = limit_ - unused_for(vm);
        if (left.count() <= 0) {
            hooks_.stop(vm);
        } else {
            next = std::min(next.value_or(left), left);
        }
    }
    if (next) {
        timer_ = loop_->after(*next, [this] { look(); });
    }
}

}  // namespace banger::agent
