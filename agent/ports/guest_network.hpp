// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/ports/vmm.hpp"

namespace banger::agent {

/// What the guest is told about its network, and what the VMM gets. All addresses are IPv4 in dotted form.
struct GuestNetwork {
    std::string kind{};     ///< as in VmRecord::network
    std::string address{};  ///< empty: no network
    unsigned prefix{0};
    std::string gateway{};
    std::vector<std::string> dns{};
    VmmNetwork vmm{};
};

/// Whose network, and what it may reach.
struct NetworkRequest {
    VmId vm;
    std::filesystem::path folder;  ///< the VM's
    LoopbackPolicy loopback;       ///< Shielded: no address of the host's
    VmmNetwork::Kind kind;         ///< what the VMM can take
};

/// One way to give guests a network.
class NetworkDriver {
public:
    NetworkDriver() = default;
    NetworkDriver(const NetworkDriver&) = delete;
    NetworkDriver& operator=(const NetworkDriver&) = delete;
    virtual ~NetworkDriver() = default;

    /// Before the VMM starts. Throws HostLacks (program missing, host without a network), Failed.
    virtual Task<GuestNetwork> start(NetworkRequest request) = 0;
    /// What start() gave when it gave this address.
    virtual GuestNetwork describe(const VmId& vm, const std::string& address) const = 0;
    /// After the VMM's end, and for one that never came; never fails.
    virtual void stop(const std::filesystem::path& folder) noexcept = 0;
};

}  // namespace banger::agent
