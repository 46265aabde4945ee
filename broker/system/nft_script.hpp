// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// Our tables as commands of nft(8), from fixed text and typed values alone. What each function gives is true of any state that it finds, but
/// that all except nft_skeleton() and nft_without_tables() want the tables to be there; they are meant to be put behind one another in one
/// transaction.
///
///   table inet banger
///     sets     taps, nat (TAPs that have it), nat_guests (their addresses), gateways (TAP and its gateway), uplinks (interfaces whose
///              forwarding the broker has switched on), user_UID (a user's TAPs); map owners (TAP -> jump user_UID)
///     forward  TAP -> TAP: of the same user alone. TAP -> else: with NAT, and never to 169.254.0.0/16. else -> TAP: answers, to one with
///              NAT. uplinks -> else: nothing, as the host is no router for its neighbours
///     input    from a TAP: answers; echo and DNS to its own gateway
///     postrouting  guests with NAT are masqueraded
///   table netdev banger
///     TAP      hook ingress: ARP and IPv4 with the assigned MAC and address, untagged; nothing else
std::string nft_skeleton();
/// Both tables away.
std::string nft_without_tables();
/// All of one TAP but its chain in `netdev`. Throws Internal for a network whose names are not of the shape that SandboxNetwork says, as do the
/// next ones.
std::string nft_add(const SandboxNetwork& network);
/// Its chain in `netdev`: the device must be there.
std::string nft_add_ingress(const SandboxNetwork& network);
enum class LastOfUser { No, Yes };
std::string nft_remove(const SandboxNetwork& network, LastOfUser last);
std::string nft_set_nat(const SandboxNetwork& network);
/// Whether an interface's name can be written into a script.
bool nft_can_write(const std::string& interface);
/// In place of all that were there. Throws Failed for an interface whose name can't be written.
std::string nft_set_uplinks(const std::vector<std::string>& interfaces);
/// Two accepts at the head of a chain of `ip filter`, plain enough for iptables -S.
std::string nft_add_foreign(const std::string& chain, const SandboxNetwork& network);

}  // namespace banger::broker
