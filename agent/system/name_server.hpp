// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <memory>
#include <string>

#include "agent/system/dns_connections.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// Answers the host's questions for the names of running VMs: a UDP socket a VM, and a TCP one at the same port, on its gateway's address,
/// to which the host sends questions for exactly that VM's name. Only the host and that guest are answered. Loop thread.
class NameServer {
public:
    explicit NameServer(EventLoop& loop) : loop_{&loop} {}

    /// Listens at `gateway` (IPv4, host byte order; an address of this host's) on a port that the kernel chooses. The descriptor, of the UDP socket, stays its.
    /// One that is served already is served anew. Throws Failed.
    int serve(const DnsName& name, std::uint32_t gateway);
    void forget(const std::string& name) noexcept;

private:
    struct Served {
        UniqueFd socket;
        DnsName name;
        DnsConnections::MayAsk may_ask;
        std::unique_ptr<DnsConnections> connections;
        EventLoop::Source source;  // last: gone before the socket
    };
    void answer(const Served& served) const noexcept;

    EventLoop* loop_;
    std::map<std::string, std::unique_ptr<Served>> served_;
};

}  // namespace banger::agent
