// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banger::broker {

/// One of our rules in a chain that is somebody else's.
struct ForeignRule {
    std::string tap;
    std::string
        altname;  ///< its comment; "" where iptables-restore has made it anew, whose comments libnftables 1.0.6 doesn't show
    std::uint64_t handle;
    std::string text;  ///< without handle and counters
};

/// Our rules among those of one chain, as `nft --handle list chain` prints it, in their order: known by their comment, or by being nothing but
/// an accept of what a TAP of ours has sent or gets.
std::vector<ForeignRule> own_rules(std::string_view listing);
/// Whether what is forwarded may be dropped by a chain: its policy, a verdict in it, or another chain to which it leads. Our own rules don't
/// count.
bool may_drop(std::string_view listing);
/// Whether `nft list chains ip` has it, in table filter.
bool has_filter_chain(std::string_view listing, std::string_view chain);

}  // namespace banger::broker
