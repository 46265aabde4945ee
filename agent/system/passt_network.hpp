// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/guest_network.hpp"
#include "agent/ports/process_host.hpp"

namespace banger::agent {

/// User-mode network by passt(1): the guest's connections are made by an unprivileged process of the host, and it gets the host's own
/// address, so neither the host's loopback nor that address is on the way. agent/README.md says what it does not shield.
class PasstNetwork final : public NetworkDriver {
public:
    explicit PasstNetwork(ProcessHost& processes) : processes_{&processes} {}
    Task<GuestNetwork> start(VmId vm, std::filesystem::path folder) override;
    GuestNetwork describe(const VmId& vm, const std::string& address) const override;
    void stop(const std::filesystem::path& folder) noexcept override;

private:
    ProcessHost* processes_;
};

}  // namespace banger::agent
