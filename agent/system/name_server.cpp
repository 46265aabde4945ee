// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"

namespace banger::agent {

int NameServer::serve(const DnsName& name, std::uint32_t gateway)
{
    auto served = std::make_unique<Served>();
    served->name = name;
    served->socket.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(gateway);
    const int descriptor = served->socket.get();
    if (!served->socket || ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        throw errno_error("can't listen for the name " + name.name, errno);
    }
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
    if (length <= 0) {
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
