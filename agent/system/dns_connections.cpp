// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/dns_connections.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace banger::agent {
namespace {

constexpr std::size_t most_connections = 8;
constexpr std::size_t longest_query = 4096;  // as in name_server.cpp
constexpr std::size_t length_size = 2;
constexpr std::chrono::milliseconds connection_limit{5'000};
constexpr std::chrono::milliseconds accept_pause{1'000};

}  // namespace

DnsConnections::DnsConnections(EventLoop& loop, UniqueFd listener, DnsName name, MayAsk may_ask)
    : loop_{&loop}, listener_{std::move(listener)}, name_{std::move(name)}, may_ask_{std::move(may_ask)}
{
    source_ = loop.on_io(listener_.get(), EventLoop::readable, [this](std::uint32_t) { accept_one(); });
}

void DnsConnections::accept_one() noexcept
{
    sockaddr_in from{};
    socklen_t size = sizeof from;
    UniqueFd socket{
        ::accept4(listener_.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK)};
    try {
        if (!socket && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            pause();
        } else if (socket && may_ask_(ntohl(from.sin_addr.s_addr))) {
            keep(std::move(socket));
        }
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory; who asks tries again
    }
}

/// Without a descriptor left, the one who waits would wake us for ever.
void DnsConnections::pause()
{
    source_.set_io_events(0);
    pause_ = loop_->after(accept_pause, [this] { source_.set_io_events(EventLoop::readable); });
}

/// With as many as there may be, the one that has waited longest goes: whoever holds connections open keeps nobody out.
void DnsConnections::keep(UniqueFd socket)
{
    if (connections_.size() == most_connections) {
        connections_.erase(connections_.begin());
    }
    const auto id = next_++;
    auto& connection = connections_[id];
    connection.socket = std::move(socket);
    connection.source =
        loop_->on_io(connection.socket.get(), EventLoop::readable, [this, id](std::uint32_t) { read(id); });
    connection.limit = loop_->after(connection_limit, [this, id] { connections_.erase(id); });
}

void DnsConnections::read(std::uint64_t id) noexcept
{
    auto& connection = connections_.at(id);
    std::array<std::uint8_t, longest_query> piece;
    const auto got = ::recv(connection.socket.get(), piece.data(), piece.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    bool goes_on = got > 0;
    try {
        if (goes_on) {
            connection.input.insert(connection.input.end(), piece.begin(), piece.begin() + got);
            goes_on = take_queries(connection);
        }
    } catch (const std::exception&) {  // no memory
        goes_on = false;
    }
    if (!goes_on) {
        connections_.erase(id);
    }
}

/// Answers those that are whole; false for what is no query, or whose answer finds no room, which ends the connection.
bool DnsConnections::take_queries(Connection& connection) const
{
    auto& input = connection.input;
    while (input.size() >= length_size) {
        const std::size_t length = input[0] * 256U + input[1];
        if (length > longest_query) {
            return false;
        }
        if (input.size() < length_size + length) {
            break;
        }
        auto reply = answer_dns({input.data() + length_size, length}, name_);
        if (reply.empty()) {
            return false;
        }
        const std::array<std::uint8_t, length_size> size{static_cast<std::uint8_t>(reply.size() >> 8U),
                                                         static_cast<std::uint8_t>(reply.size())};
        reply.insert(reply.begin(), size.begin(), size.end());
        if (::send(connection.socket.get(), reply.data(), reply.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(reply.size())) {
            return false;
        }
        input.erase(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(length_size + length));
    }
    return true;
}

}  // namespace banger::agent
