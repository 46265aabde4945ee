// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/guest_network.hpp"
#include "agent/ports/process_host.hpp"

namespace banger::agent {

/// User-mode network by passt(1): the guest's connections are made by an unprivileged process of the host. The VMM's frames get there
/// through banger-netguard, which keeps back what is for the host or a metadata service (agent/netguard/README.md).
class PasstNetwork final : public NetworkDriver {
public:
    /// `guard`: banger-netguard; empty where it isn't installed.
    PasstNetwork(ProcessHost& processes, std::filesystem::path guard) : processes_{&processes}, guard_{std::move(guard)}
    {
    }
    Task<GuestNetwork> start(NetworkRequest request) override;
    GuestNetwork describe(const VmId& vm, const std::string& address) const override;
    void stop(const std::filesystem::path& folder) noexcept override;

private:
    Task<void> start_passt(NetworkRequest request, std::string address);
    Task<void> start_guard(NetworkRequest request);

    ProcessHost* processes_;
    std::filesystem::path guard_;
};

}  // namespace banger::agent
