// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"

namespace banger::agent {
namespace {

struct Sockets {
    UniqueFd datagrams{};
    UniqueFd listener{};
};

sockaddr_in at(std::uint32_t gateway, std::uint16_t port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(gateway);
    address.sin_port = htons(port);
    return address;
}

UniqueFd bound_socket(int type, const sockaddr_in& address)
{
    UniqueFd socket{::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        const int error = errno;
        socket.reset();
        errno = error;
    }
    return socket;
}

/// Both at one port, which the kernel chooses for one of them, and so the other may find it taken.
Sockets bind_both(std::uint32_t gateway, const std::string& name)
{
    constexpr int tries = 16;
    constexpr int backlog = 8;
    for (int i = 0; i < tries; ++i) {
        Sockets sockets{.datagrams = bound_socket(SOCK_DGRAM, at(gateway, 0))};
        sockaddr_in bound{};
        socklen_t size = sizeof bound;
        if (!sockets.datagrams ||
            ::getsockname(sockets.datagrams.get(), reinterpret_cast<sockaddr*>(&bound), &size) < 0) {
            break;
        }
        sockets.listener = bound_socket(SOCK_STREAM, bound);
        if (sockets.listener && ::listen(sockets.listener.get(), backlog) == 0) {
            return sockets;
        }
        if (errno != EADDRINUSE) {
            break;
        }
    }
    throw errno_error("can't listen for the name " + name, errno);
}

}  // namespace

int NameServer::serve(const DnsName& name, std::uint32_t gateway)
{
    auto sockets = bind_both(gateway, name.name);
    // The host asks from the address that it asks at, and the guest may.
    auto may_ask = [gateway, guest = name.address](std::uint32_t from) { return from == gateway || from == guest; };
    auto served = std::make_unique<Served>();
    served->name = name;
    served->may_ask = may_ask;
    served->socket = std::move(sockets.datagrams);
    const int descriptor = served->socket.get();
    served->connections =
        std::make_unique<DnsConnections>(*loop_, std::move(sockets.listener), name, std::move(may_ask));
    served->source =
        loop_->on_io(descriptor, EventLoop::readable, [this, one = served.get()](std::uint32_t) { answer(*one); });
    served_[name.name] = std::move(served);
    return descriptor;
}

void NameServer::forget(const std::string& name) noexcept { served_.erase(name); }

/// One datagram a turn of the loop, so that a flood starves nobody else.
void NameServer::answer(const Served& served) const noexcept
{
    constexpr std::size_t longest = 4096;  // RFC 6891's usual limit; longer ones come cut, and are no packets then
    std::array<std::uint8_t, longest> query{};
    sockaddr_in from{};
    socklen_t size = sizeof from;
    const int descriptor = served.socket.get();
    const auto length =
        ::recvfrom(descriptor, query.data(), query.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (length <= 0 || !served.may_ask(ntohl(from.sin_addr.s_addr))) {
        return;
    }
    try {
        const auto reply = answer_dns({query.data(), static_cast<std::size_t>(length)}, served.name);
        if (!reply.empty()) {
            // A lost answer is asked for again.
            ::sendto(descriptor, reply.data(), reply.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&from),
                     size);
        }
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory; alike
    }
}

}  // namespace banger::agent
