// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/messages.hpp"

#include <map>
#include <string_view>
#include <vector>

namespace banger::guest {

/// A socket that waits for others, with its inode, by which its program is found.
struct OpenPort {
    wire::Listener listener;
    std::uint64_t inode{0};
};

/// Those of a /proc/net/tcp, tcp6, udp or udp6 (proc(5), net/ipv4/tcp_ipv4.c): TCP sockets that listen, UDP ones that are bound and not connected.
/// `protocol`: "tcp" or "udp". Lines that are none are left out.
std::vector<OpenPort> open_ports(std::string_view text, std::string_view protocol);

/// The programs that hold these sockets, as far as /proc tells: inode -> name.
std::map<std::uint64_t, std::string> holders_of(const std::vector<OpenPort>& ports);

/// What listens on this machine, by port; each once.
wire::ListenersResult machine_listeners();

}  // namespace banger::guest
