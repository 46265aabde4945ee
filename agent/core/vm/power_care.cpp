// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/power_care.hpp"

#include <algorithm>

namespace banger::agent {
namespace {

/// For `systemd-inhibit --list`.
constexpr auto delay_reason = "Virtual machines are shut down in order";

bool runs(const VmPtr& vm) { return vm->running != nullptr; }
bool can_be_stopped(const VmPtr& vm) { return runs(vm) || vm->record.state == VmState::Starting; }

}  // namespace

PowerCare::PowerCare(EventLoop& loop, HostPower& power, Hooks hooks)
    : loop_{&loop}, power_{&power}, hooks_{std::move(hooks)}
{
}

HostPowerEvents PowerCare::events()
{
    // HostPower may outlive this.
    const auto alive = [guard = std::weak_ptr{alive_}](std::function<void()> call) {
        return [guard, call = std::move(call)] {
            if (guard.lock()) {
                call();
            }
        };
    };
    return {.found =
                [this, guard = std::weak_ptr{alive_}](std::chrono::milliseconds longest_delay) {
                    if (guard.lock()) {
                        found(longest_delay);
                    }
                },
            .lost =
                [this, guard = std::weak_ptr{alive_}](const std::string& why) {
                    if (guard.lock()) {
                        lost(why);
                    }
                },
            .woke = alive([this] {
                hooks_.log("the host has slept; guests are told what time it is");
                hooks_.tell_time();
            }),
            .shutdown_begins = alive([this] { shut_down(); }),
            .shutdown_called_off = alive([this] {
                shutting_down_ = false;
                limit_.reset();
                look();
            })};
}

void PowerCare::begin()
{
    begun_ = true;
    power_->watch(events());
}

void PowerCare::housekeep()
{
    if (begun_ && !found_) {
        power_->watch(events());
    }
}

void PowerCare::found(std::chrono::milliseconds longest_delay)
{
    found_ = true;
    refused_ = false;
    shutting_down_ = false;  // one that had begun it and is gone can't call it off any more
    limit_.reset();
    ++finds_;
    longest_delay_ = longest_delay;
    delay_.reset();
    look();
}

void PowerCare::lost(const std::string& why)
{
    found_ = false;
    ++finds_;
    delay_.reset();
    say_lack(why);
}

/// A thousand VMs may change at once, so all of them are looked at only where that may say something new.
void PowerCare::notice(const VmPtr& vm)
{
    if (runs(vm) ? found_ && !delay_ : static_cast<bool>(delay_)) {
        look();
    }
}

void PowerCare::look()
{
    const auto vms = hooks_.vms();
    if (std::none_of(vms.begin(), vms.end(), runs)) {
        let_go();
    } else if (found_ && !delay_ && !asking_ && !refused_ && !shutting_down_) {
        asking_ = true;
        spawn(hold());
    }
}

Task<void> PowerCare::hold()
{
    const std::weak_ptr alive{alive_};
    const auto find = finds_;
    UniqueFd delay;
    std::string failure;
    try {
        auto had = co_await power_->delay_shutdown(delay_reason);
        delay = std::move(had);
    } catch (...) {
        failure = to_error(std::current_exception()).what();
    }
    if (!alive.lock()) {
        co_return;
    }
    asking_ = false;
    if (find == finds_ && !failure.empty()) {
        refused_ = true;  // until there is another to ask
        hooks_.log("a shutdown of this host does not wait for VMs: " + failure);
    } else if (find == finds_ && !shutting_down_) {
        delay_ = std::move(delay);
    }
    look();  // meanwhile the last VM may have ended, or logind been started anew
}

/// A unit's own ExecStop would do it, too, and still does what is not done by then: this only begins earlier.
void PowerCare::shut_down()
{
    if (std::exchange(shutting_down_, true)) {
        return;
    }
    auto vms = hooks_.vms();
    std::erase_if(vms, [](const VmPtr& vm) { return !can_be_stopped(vm); });
    const auto wait = std::max(longest_delay_ - margin, std::chrono::milliseconds{0});
    if (wait.count() == 0) {
        let_go();
    } else if (delay_) {
        limit_ = loop_->after(wait, [this] {
            hooks_.log("the host's shutdown goes on, though not all VMs have ended yet");
            let_go();
        });
    }
    if (!vms.empty()) {
        hooks_.log("the host shuts down; VMs are stopped in order");
    }
    for (const auto& vm : vms) {
        hooks_.stop(vm, wait);
    }
    look();
}

void PowerCare::let_go()
{
    delay_.reset();
    limit_.reset();
}

void PowerCare::say_lack(const std::string& why)
{
    if (!std::exchange(lack_said_, true)) {
        hooks_.log(why +
                   ": after this host has slept, guests' clocks stay behind, and its shutdown does not wait for VMs");
    }
}

}  // namespace banger::agent
