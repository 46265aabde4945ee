// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "agent/system/dns_answer.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// The TCP side of a name server: queries with their length before them (RFC 1035, section 4.2.2). Few at a time, none for long, and a
/// query a turn of the loop. Loop thread.
class DnsConnections {
public:
    using MayAsk = std::function<bool(std::uint32_t address)>;

    /// `listener`: bound, listening, not blocking. `may_ask`: by IPv4 address, host byte order; others are hung up on.
    DnsConnections(EventLoop& loop, UniqueFd listener, DnsName name, MayAsk may_ask);

private:
    struct Connection {
        UniqueFd socket;
        std::vector<std::uint8_t> input{};
        EventLoop::Source source{};
        EventLoop::Source limit{};
    };

    void accept_one() noexcept;
    void keep(UniqueFd socket);
    void pause();
    void read(std::uint64_t id) noexcept;
    bool take_queries(Connection& connection) const;

    EventLoop* loop_;
    UniqueFd listener_;
    DnsName name_;
    MayAsk may_ask_;
    std::uint64_t next_{0};
    std::map<std::uint64_t, Connection> connections_;
    EventLoop::Source pause_;
    EventLoop::Source source_;  // last: gone before the socket
};

}  // namespace banger::agent
