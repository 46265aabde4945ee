// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/ports/host_power.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

template <typename Object>
class SystemBus;

/// systemd's logind, over the system bus. A signal counts only from the connection that has logind's name: on that bus anybody may send
/// anybody anything. A logind that is started anew is followed; after a loss of the bus watch() connects again.
class LogindPower final : public HostPower {
public:
    /// logind.conf(5): what InhibitDelayMaxSec= is where nobody says.
    static constexpr std::chrono::milliseconds usual_delay{5'000};

    explicit LogindPower(EventLoop& loop, std::chrono::milliseconds call_limit = std::chrono::seconds{5});
    ~LogindPower() override;

    void watch(HostPowerEvents events) override;
    Task<UniqueFd> delay_shutdown(std::string why) override;

private:
    class Login;
    Task<void> connect();
    void on_owner(const std::string& owner);
    Task<void> greet(std::string owner);

    EventLoop* loop_;
    std::chrono::milliseconds call_limit_;
    HostPowerEvents events_;
    bool connecting_{false};
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
    std::unique_ptr<SystemBus<Login>> bus_;
};

}  // namespace banger::agent
