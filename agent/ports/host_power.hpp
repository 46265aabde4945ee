// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/core/task.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// What is told of the host's sleep and end. Calls on the loop's thread, never from inside a call to HostPower.
struct HostPowerEvents {
    /// Somebody tells such things, or somebody new does: delays that were had before hold no more. A shutdown waits `longest_delay` at most.
    std::function<void(std::chrono::milliseconds longest_delay)> found;
    std::function<void(const std::string& why)> lost;  ///< nobody does, or no more
    std::function<void()> woke;                        ///< the host has slept, or has tried to
    std::function<void()> shutdown_begins;
    std::function<void()> shutdown_called_off;
};

/// The host's login manager. Loop thread.
class HostPower {
public:
    HostPower() = default;
    HostPower(const HostPower&) = delete;
    HostPower& operator=(const HostPower&) = delete;
    virtual ~HostPower() = default;

    /// From now on `events` are told, which without a system bus are `lost` alone; nothing happens where they are already, so it may be called
    /// again in the hope of better times.
    virtual void watch(HostPowerEvents events) = 0;
    /// While what this gives is open a shutdown waits, for so long. `why`: for people who look what it waits for.
    /// Throws HostLacks (nobody to ask), NotAuthorized, TimedOut, Unavailable, Failed.
    virtual Task<UniqueFd> delay_shutdown(std::string why) = 0;
};

}  // namespace banger::agent
