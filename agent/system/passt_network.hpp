// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/guest_network.hpp"
#include "agent/ports/process_host.hpp"

namespace banger::agent {

/// User-mode network by passt(1): the guest's connections are made by an unprivileged process of the host. The VMM's frames get there
/// through banger-netguard, which keeps back what is for the host or a metadata service (agent/netguard/README.md); those of a VMM that
/// knows TAPs alone come from one in a namespace of its own (agent/tap/README.md).
class PasstNetwork final : public NetworkDriver {
public:
    /// Programs of banger's own; empty where they aren't installed.
    struct Programs {
        std::filesystem::path guard{};  ///< banger-netguard
        std::filesystem::path tap{};    ///< banger-tap
    };

    PasstNetwork(ProcessHost& processes, Programs programs) : processes_{&processes}, programs_{std::move(programs)} {}
    Task<GuestNetwork> start(NetworkRequest request) override;
    GuestNetwork describe(const VmId& vm, const std::string& address) const override;
    void stop(const std::filesystem::path& folder) noexcept override;

private:
    Task<void> start_passt(NetworkRequest request, std::string address);
    Task<void> start_guard(NetworkRequest request);
    Task<VmmNetwork> start_tap(NetworkRequest request);

    ProcessHost* processes_;
    Programs programs_;
};

}  // namespace banger::agent
