// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace banger::agent {

/// One name that is answered for.
struct DnsName {
    std::string name;  ///< without a dot at its end, such as web.vm; letters of either case are the same (RFC 4343)
    std::uint32_t address;  ///< IPv4, host byte order
};

/// The answer to a DNS query as it came in a datagram: the address for a question of type A, no data for other types of the name, NXDOMAIN
/// for other names, NOTIMP for anything but a query, FORMERR for what has not exactly one question. Empty: what came is no query, and
/// nothing is sent. The time to live is 0, as a VM's address is another one after its next start.
std::vector<std::uint8_t> answer_dns(std::span<const std::uint8_t> query, const DnsName& known);

}  // namespace banger::agent
