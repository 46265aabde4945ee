// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/handshake.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace banger::wire {
namespace {

constexpr std::array<std::uint8_t, 8> sync_magic{'B', 'n', 'g', 'r', 'S', 'y', 'n', 'c'};
constexpr std::array<std::uint8_t, 8> ack_magic{'B', 'n', 'g', 'r', 'A', 'c', 'k', 'd'};
constexpr std::size_t sync_size = 8 + 2 + 2 + 16 + 4;
constexpr std::size_t ack_fixed = 8 + 16 + 2 + 2;  // magic, epoch, version, length of hello

/// CRC-32 of IEEE 802.3, bit by bit: handshakes are short and rare.
std::uint32_t crc32(ByteView bytes) noexcept
{
    std::uint32_t crc = 0xffffffffU;
    for (const auto byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc >> 1U) ^ (0xedb88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

void put(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

bool checksum_holds(ByteView message) noexcept
{
    return crc32(message.first(message.size() - 4)) == get_u32(message.last(4));
}

Epoch epoch_at(ByteView in) noexcept
{
    Epoch epoch;
    std::copy_n(in.begin(), epoch.bytes.size(), epoch.bytes.begin());
    return epoch;
}

}  // namespace

Bytes encode(const Sync& sync)
{
    Bytes out;
    put(out, sync_magic);
    put_u16(out, sync.version_min);
    put_u16(out, sync.version_max);
    put(out, sync.epoch.bytes);
    put_u32(out, crc32(out));
    return out;
}

Bytes encode(const SyncAck& ack)
{
    const auto hello = ByteView{ack.hello}.first(std::min(ack.hello.size(), max_hello));
    Bytes out;
    put(out, ack_magic);
    put(out, ack.epoch.bytes);
    put_u16(out, ack.version);
    put_u16(out, static_cast<std::uint16_t>(hello.size()));
    put(out, hello);
    put_u32(out, crc32(out));
    return out;
}

Hunter::Hunter() : needle_(sync_magic.begin(), sync_magic.end()) {}

Hunter::Hunter(const Epoch& epoch) : for_ack_{true}, needle_(ack_magic.begin(), ack_magic.end())
{
    put(needle_, epoch.bytes);
}

Hunter::Match Hunter::match_sync(ByteView candidate)
{
    if (candidate.size() < sync_size) {
        return Match::Partial;
    }
    candidate = candidate.first(sync_size);
    if (!checksum_holds(candidate)) {
        return Match::No;
    }
    sync_ = {get_u16(candidate.subspan(8)), get_u16(candidate.subspan(10)), epoch_at(candidate.subspan(12))};
    return Match::Whole;
}

Hunter::Match Hunter::match_ack(ByteView candidate)
{
    if (candidate.size() < ack_fixed) {
        return Match::Partial;
    }
    const std::size_t hello_size = get_u16(candidate.subspan(ack_fixed - 2));
    if (hello_size > max_hello) {
        return Match::No;
    }
    const std::size_t whole = ack_fixed + hello_size + 4;
    if (candidate.size() < whole) {
        return Match::Partial;
    }
    candidate = candidate.first(whole);
    if (!checksum_holds(candidate)) {
        // Only a peer that has read our Sync knows the epoch, so no real answer begins inside of a damaged one. To look there would
        // let a hostile guest have 4 KiB summed up for each 28 bytes.
        skip_ = whole;
        return Match::No;
    }
    const auto hello = candidate.subspan(ack_fixed, hello_size);
    ack_ = {epoch_at(candidate.subspan(8)), get_u16(candidate.subspan(24)), Bytes(hello.begin(), hello.end())};
    return Match::Whole;
}

Hunter::Match Hunter::match(ByteView candidate) { return for_ack_ ? match_ack(candidate) : match_sync(candidate); }

bool Hunter::feed(ByteView in)
{
    put(buffer_, in);
    std::size_t from = 0;
    for (;;) {
        const auto* found = static_cast<const std::uint8_t*>(
            ::memmem(buffer_.data() + from, buffer_.size() - from, needle_.data(), needle_.size()));
        if (found == nullptr) {
            const std::size_t keep = std::min(buffer_.size() - from, needle_.size() - 1);
            buffer_.erase(buffer_.begin(), buffer_.end() - static_cast<std::ptrdiff_t>(keep));
            return false;
        }
        from = static_cast<std::size_t>(found - buffer_.data());
        const ByteView candidate = ByteView{buffer_}.subspan(from);
        const Match result = match(candidate);
        if (result == Match::No) {
            from += std::exchange(skip_, 1);
            continue;
        }
        std::size_t drop = from;
        if (result == Match::Whole) {
            drop += for_ack_ ? ack_fixed + ack_.hello.size() + 4 : sync_size;
        }
        buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(drop));
        return result == Match::Whole;
    }
}

Bytes Hunter::take_rest() noexcept { return std::exchange(buffer_, {}); }

}  // namespace banger::wire
