// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/size.hpp"

namespace banger::broker {

/// What one user, or all together, may have.
struct Quota {
    std::uint32_t sandboxes;
    ByteSize bytes;       ///< of copy-on-write files, as allocated
    std::uint32_t calls;  ///< in flight
};

/// A network of IPv4 addresses from which TAPs get theirs. Shape: a.b.c.d/n, n 16 to 28, no bits set beyond n.
struct AddressPool {
    std::uint32_t network;  ///< host byte order
    unsigned prefix;
    /// Throws InvalidArgument.
    static AddressPool parse(std::string_view text);
    /// How many /30 are in it.
    std::uint32_t slots() const noexcept { return 1U << (30U - prefix); }
};

/// /etc/banger/broker.toml. Each key has a default.
struct BrokerConfig {
    AddressPool pool{.network = 0x0ad50000U, .prefix = 16};          ///< address_pool, 10.213.0.0/16
    Quota user{.sandboxes = 64, .bytes = 256 * gib, .calls = 32};    ///< [quota.user]
    Quota all{.sandboxes = 256, .bytes = 1024 * gib, .calls = 256};  ///< [quota.all]
    std::string log_level{"info"};                                   ///< debug, info, warn or error
};

/// Throws InvalidArgument: "FILE:LINE: what is wrong; did you mean ...".
BrokerConfig parse_broker_config(std::string_view text, std::string_view file);

}  // namespace banger::broker
