// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace banger::netguard {

/// An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2), so that one set holds both. As a number, most significant half
/// first.
struct Address {
    std::uint64_t high{0};
    std::uint64_t low{0};

    /// In network byte order, as in a packet.
    static Address v4(std::span<const std::byte, 4> bytes) noexcept;
    static Address v6(std::span<const std::byte, 16> bytes) noexcept;
    /// As inet_pton(3) reads it. Throws InvalidArgument.
    static Address parse(std::string_view text);
    bool is_v4() const noexcept { return high == 0 && low >> 32U == 0xffff; }

    auto operator<=>(const Address&) const noexcept = default;
};

/// All addresses that share their first bits.
struct Prefix {
    Address first;
    Address last;

    /// `ADDRESS/LENGTH`, or an address alone. Bits behind the length don't count. Throws InvalidArgument.
    static Prefix parse(std::string_view text);
    static Prefix of(const Address& address) noexcept { return {address, address}; }
};

/// Addresses to look up often: sorted, disjoint ranges.
class AddressSet {
public:
    AddressSet() = default;
    explicit AddressSet(std::vector<Prefix> prefixes);
    bool contains(const Address& address) const noexcept;

private:
    std::vector<Prefix> ranges_;
};

}  // namespace banger::netguard
