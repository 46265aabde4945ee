// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace banger {

/// A number of bytes.
class ByteSize {
public:
    constexpr ByteSize() noexcept = default;
    constexpr explicit ByteSize(std::uint64_t bytes) noexcept : bytes_{bytes} {}

    /// Shape: digits[.digits] then one of nothing, B, K, M, G, T, each also as Ki, KiB, KB, any case. All are powers of
    /// 1024, as users of VM tools expect. Zero, negative, empty and >= 2^63 are refused.
    /// `unit_without_suffix`: what a bare number counts, e.g. mib for --memory.
    /// Throws InvalidArgument.
    static ByteSize parse(std::string_view text, ByteSize unit_without_suffix = ByteSize{1});

    constexpr std::uint64_t bytes() const noexcept { return bytes_; }
    constexpr std::uint64_t mib() const noexcept { return bytes_ >> 20U; }
    /// The shortest exact or one-decimal form: "16G", "512M", "1.5G", "17 bytes" as "17B".
    std::string to_string() const;

    constexpr auto operator<=>(const ByteSize&) const noexcept = default;

private:
    std::uint64_t bytes_{0};
};

inline constexpr ByteSize kib{std::uint64_t{1} << 10U};
inline constexpr ByteSize mib{std::uint64_t{1} << 20U};
inline constexpr ByteSize gib{std::uint64_t{1} << 30U};

constexpr ByteSize operator*(std::uint64_t count, ByteSize unit) noexcept { return ByteSize{count * unit.bytes()}; }

}  // namespace banger
