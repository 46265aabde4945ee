// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/address_set.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "common/error.hpp"

namespace banger::netguard {
namespace {

constexpr std::uint64_t mapped = 0xffff'0000'0000U;  // the lower half of ::ffff:0.0.0.0
constexpr unsigned address_bits = 128;
constexpr unsigned mapped_bits = 96;

std::uint64_t number_of(std::span<const std::byte> bytes) noexcept
{
    std::uint64_t number = 0;
    for (const auto byte : bytes) {
        number = number << 8U | std::to_integer<std::uint64_t>(byte);
    }
    return number;
}

/// The `count` upper bits of 64.
std::uint64_t upper_bits(unsigned count) noexcept { return count == 0 ? 0 : ~std::uint64_t{0} << (64 - count); }

}  // namespace

Address Address::v4(std::span<const std::byte, 4> bytes) noexcept { return {0, mapped | number_of(bytes)}; }

Address Address::v6(std::span<const std::byte, 16> bytes) noexcept
{
    return {number_of(bytes.first<8>()), number_of(bytes.last<8>())};
}

Address Address::parse(std::string_view text)
{
    const std::string terminated{text};
    std::array<std::byte, 16> bytes{};
    if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
        return v4(std::span{bytes}.first<4>());
    }
    if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
        return v6(bytes);
    }
    throw Error{ErrorCode::InvalidArgument, "'" + terminated + "' is no IPv4 or IPv6 address"};
}

Prefix Prefix::parse(std::string_view text)
{
    const auto slash = text.find('/');
    const auto address = Address::parse(text.substr(0, slash));
    if (slash == std::string_view::npos) {
        return of(address);
    }
    const unsigned offset = text.substr(0, slash).find(':') == std::string_view::npos ? mapped_bits : 0;
    const auto digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size() || length > address_bits - offset) {
        throw Error{ErrorCode::InvalidArgument, "'" + std::string{text} + "' has no prefix length behind its slash"};
    }
    length += offset;
    const auto high = upper_bits(std::min(length, 64U));
    const auto low = upper_bits(std::max(length, 64U) - 64);
    return {{address.high & high, address.low & low}, {address.high | ~high, address.low | ~low}};
}

AddressSet::AddressSet(std::vector<Prefix> prefixes)
{
    std::ranges::sort(prefixes, {}, &Prefix::first);
    for (const auto& prefix : prefixes) {
        if (!ranges_.empty() && prefix.first <= ranges_.back().last) {
            ranges_.back().last = std::max(ranges_.back().last, prefix.last);
        } else {
            ranges_.push_back(prefix);
        }
    }
}

bool AddressSet::contains(const Address& address) const noexcept
{
    const auto after = std::ranges::upper_bound(ranges_, address, {}, &Prefix::first);
    return after != ranges_.begin() && address <= std::prev(after)->last;
}

}  // namespace banger::netguard
