// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>

#include "agent/ports/broker.hpp"
#include "agent/system/name_server.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

template <typename Object>
struct BusLink;
template <typename Object>
class SystemBus;

/// How long the broker may take to answer.
struct BrokerLimits {
    std::chrono::milliseconds call{30'000};
    std::chrono::milliseconds asking{150'000};  ///< polkit gives a person 2 minutes
    std::chrono::milliseconds look{5'000};      ///< for `banger doctor`
};

/// The broker over the system bus. It connects with the first call, and again with the first one after the bus was lost; a host without a
/// system bus has no broker, and that is all.
class BrokerClient final : public Broker {
public:
    explicit BrokerClient(EventLoop& loop, BrokerLimits limits = {});
    ~BrokerClient() override;

    Task<void> create(std::string id, std::optional<Digest> base, ByteSize overlay, Nat nat, Prompt prompt) override;
    Task<StartedSandbox> start(std::string id, std::optional<SandboxBase> base, SandboxNetwork network) override;
    Task<void> stop(std::string id) override;
    Task<void> grow(std::string id, ByteSize overlay) override;
    Task<void> set_nat(std::string id, Nat nat, Prompt prompt) override;
    Task<void> destroy(std::string id) override;
    Task<std::vector<SandboxRow>> list() override;
    Task<void> publish(std::string id, std::string name, std::string gateway, std::string address) override;
    void forget_name(const std::string& name) noexcept override { names_.forget(name + ".vm"); }
    Task<BrokerReport> examine() override;
    void on_change(std::function<void()> call) override { changed_ = std::move(call); }

private:
    class Object;
    Task<std::shared_ptr<BusLink<Object>>> link(std::chrono::milliseconds limit);
    Task<std::vector<SandboxRow>> list_within(std::chrono::milliseconds limit);
    Task<BrokerReport> report_of_polkit();

    EventLoop* loop_;
    BrokerLimits limits_;
    NameServer names_;
    std::function<void()> changed_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
    std::unique_ptr<SystemBus<Object>> bus_;
};

}  // namespace banger::agent
