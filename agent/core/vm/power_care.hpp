// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/vm/vm.hpp"
#include "agent/ports/host_power.hpp"

namespace banger::agent {

/// What becomes of VMs when the host sleeps, wakes and shuts down. While one runs, a shutdown is asked to wait, and only then.
/// Loop thread.
class PowerCare {
public:
    struct Hooks {
        std::function<std::vector<VmPtr>()> vms;
        std::function<void()> tell_time;  ///< to all guests
        /// Begins it, in order, for a guest that may take as long as the shutdown waits; its end comes by notice().
        std::function<void(const VmPtr&, std::chrono::milliseconds wait)> stop;
        std::function<void(const std::string&)> log;
    };
    /// So long before a shutdown would go on by itself it is let go, as whoever is late makes it wait for nothing.
    static constexpr std::chrono::milliseconds margin{500};

    PowerCare(EventLoop& loop, HostPower& power, Hooks hooks);

    /// Once all VMs are known.
    void begin();
    /// A VM has changed: the first one may run now, or the last one have ended.
    void notice(const VmPtr& vm);
    /// Now and then: the system bus may have come, or come back.
    void housekeep();

private:
    HostPowerEvents events();
    void found(std::chrono::milliseconds longest_delay);
    void lost(const std::string& why);
    void shut_down();
    void look();
    Task<void> hold();
    void let_go();
    void say_lack(const std::string& why);

    EventLoop* loop_;
    HostPower* power_;
    Hooks hooks_;
    bool begun_{false};
    bool found_{false};
    std::uint64_t finds_{0};  ///< answers to questions of before the last one count for nothing
    std::chrono::milliseconds longest_delay_{0};
    UniqueFd delay_;
    bool asking_{false};
    bool refused_{false};
    bool shutting_down_{false};
    bool lack_said_{false};
    EventLoop::Source limit_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
