// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/name_server.hpp"

namespace banger::broker {

std::uint16_t check_name_server(const SocketFacts& facts, const SandboxNetwork& network)
{
    constexpr std::uint16_t first_unprivileged = 1024;
    const auto refuse = [](const std::string& what) {
        throw Error{ErrorCode::InvalidArgument, "the name server's socket " + what};
    };
    if (facts.type != SocketFacts::Type::UdpIpv4) {
        refuse("must be UDP over IPv4");
    }
    if (facts.owner != network.uid) {
        refuse("is another user's");
    }
    if (facts.address != network.gateway) {
        refuse("must be bound to " + ipv4_text(network.gateway));
    }
    if (facts.port < first_unprivileged) {
        refuse("must be bound to a port from 1024 on");
    }
    return facts.port;
}

}  // namespace banger::broker
