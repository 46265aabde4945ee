// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/socket_facts.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace banger::broker {
namespace {

bool option_is(int descriptor, int option, int value)
{
    int found = 0;
    socklen_t size = sizeof found;
    return ::getsockopt(descriptor, SOL_SOCKET, option, &found, &size) == 0 && found == value;
}

}  // namespace

SocketFacts socket_facts(int descriptor)
{
    SocketFacts facts{.type = SocketFacts::Type::Other, .address = 0, .port = 0, .owner = 0};
    struct stat status {};
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    if (!option_is(descriptor, SO_DOMAIN, AF_INET) || !option_is(descriptor, SO_TYPE, SOCK_DGRAM) ||
        !option_is(descriptor, SO_PROTOCOL, IPPROTO_UDP) ||
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) < 0 || ::fstat(descriptor, &status) < 0) {
        return facts;
    }
    facts.type = SocketFacts::Type::UdpIpv4;
    facts.address = ntohl(bound.sin_addr.s_addr);
    facts.port = ntohs(bound.sin_port);
    facts.owner = status.st_uid;  // sockfs: the uid of who made it (net/socket.c, sockfs_setattr aside)
    return facts;
}

}  // namespace banger::broker
