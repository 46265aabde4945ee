// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/tcp_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

struct TcpPlace {
    sockaddr_storage storage{};
    socklen_t size{0};
};

TcpPlace tcp_place_of(const std::string& address, std::uint16_t number)
{
    TcpPlace place;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = htons(number);
        std::memcpy(&place.storage, &v4, sizeof v4);
        place.size = sizeof v4;
    } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(number);
        std::memcpy(&place.storage, &v6, sizeof v6);
        place.size = sizeof v6;
    } else {
        throw Error{ErrorCode::InvalidArgument, shown(address) + " is no IP address, such as 127.0.0.1"};
    }
    return place;
}

Error tcp_refusal(const std::string& address, std::uint16_t number, int problem)
{
    const auto port = "port " + std::to_string(number);
    switch (problem) {
        case EADDRINUSE:
            return {ErrorCode::InUse, port + " of " + address + " is taken; port 0 takes any that is free"};
        case EACCES:
            return {ErrorCode::InvalidArgument,
                    port + " is for root alone; take one from 1024 on, or 0 for any that is free"};
        case EADDRNOTAVAIL:
            return {ErrorCode::InvalidArgument, address + " is no address of this host"};
        default:
            return errno_error("can't listen at " + port + " of " + address, problem);
    }
}

std::uint16_t tcp_number_of(int socket)
{
    TcpPlace place;
    place.size = sizeof place.storage;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&place.storage), &place.size) != 0) {
        throw errno_error("can't tell a port's number", errno);
    }
    std::uint16_t number = 0;
    // Both families have it at the same place.
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    std::memcpy(&number, reinterpret_cast<const char*>(&place.storage) + offsetof(sockaddr_in, sin_port),
                sizeof number);
    return ntohs(number);
}

}  // namespace

TcpListener::TcpListener(EventLoop& loop, const std::string& address, std::uint16_t number,
                         std::function<void(UniqueFd)> accepted)
    : loop_{&loop}, accepted_{std::move(accepted)}
{
    const auto place = tcp_place_of(address, number);
    socket_.reset(::socket(place.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    // A port whose last connections are in TIME_WAIT is free: a bangerd that comes back needs it.
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (place.storage.ss_family == AF_INET6) {
        ::setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
    if (!socket_ || ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&place.storage), place.size) != 0 ||
        ::listen(socket_.get(), SOMAXCONN) != 0) {
        throw tcp_refusal(address, number, errno);
    }
    number_ = tcp_number_of(socket_.get());
    listen();
}

void TcpListener::listen()
{
    source_ = loop_->on_io(socket_.get(), EventLoop::readable, [this](std::uint32_t) { accept(); });
}

/// One a turn of the loop, so that a flood starves nobody else.
void TcpListener::accept()
{
    UniqueFd connection{::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    if (connection) {
        const int on = 1;
        ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        accepted_(std::move(connection));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // It stays readable, and would keep us busy; who waits there waits a moment longer.
        constexpr std::chrono::milliseconds pause{200};
        source_.reset();
        rest_ = loop_->after(pause, [this] { listen(); });
    }
}

}  // namespace banger::agent
