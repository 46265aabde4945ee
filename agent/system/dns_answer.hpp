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

/// The answer to a DNS query: the address for a question of type A, and the name for one of type PTR for the address. Other types of both
/// have no data, other names below .vm are NXDOMAIN, each with an SOA; all else is REFUSED, as nobody is asked in turn. NOTIMP for anything
/// but a query, FORMERR for what has not exactly one question. Empty: what came is no query, and nothing is sent. The time to live is 1
/// second, as a VM's address is another one after its next start. Never longer than 512 bytes, which is all that any asker takes.
std::vector<std::uint8_t> answer_dns(std::span<const std::uint8_t> query, const DnsName& known);

}  // namespace banger::agent
