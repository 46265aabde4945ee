// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "broker/core/sandbox.hpp"
#include "common/error.hpp"

namespace banger::broker {

/// What the kernel says of a socket that a client has sent (SO_DOMAIN, SO_TYPE, getsockname, fstat).
struct SocketFacts {
    enum class Type { UdpIpv4, Other };
    Type type;
    std::uint32_t address;  ///< to which it is bound, host byte order
    std::uint16_t port;
    uid_t owner;
};

/// Where the host looks up the names of VMs: systemd-resolved, a server and one exact name a link. Loop thread.
class NameRouting {
public:
    using Done = std::function<void(std::optional<Error>)>;

    NameRouting() = default;
    NameRouting(const NameRouting&) = delete;
    NameRouting& operator=(const NameRouting&) = delete;
    virtual ~NameRouting() = default;

    /// From now on exactly `name`.vm is asked of `port` at the link's gateway address. HostLacks: no systemd-resolved. `done` is called once, later.
    virtual void publish(const SandboxNetwork& network, const std::string& name, std::uint16_t port, Done done) = 0;
    virtual void withdraw(const SandboxNetwork& network, Done done) = 0;
};

}  // namespace banger::broker
