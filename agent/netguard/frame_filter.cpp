// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/frame_filter.hpp"

#include <algorithm>
#include <cstring>

#include "common/error.hpp"

namespace banger::netguard {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t length_size = 4;
constexpr std::size_t ethernet_header = 14;
// passt drops what is longer (ETH_MAX_MTU); since 2024 it closes the connection, as it does for what is shorter than a header.
constexpr std::size_t longest_passed = 65535;

constexpr unsigned type_ipv4 = 0x0800;
constexpr unsigned type_arp = 0x0806;
constexpr unsigned type_ipv6 = 0x86dd;

constexpr unsigned protocol_udp = 17;
constexpr unsigned protocol_icmpv6 = 58;

unsigned u8(Bytes bytes, std::size_t at) noexcept { return std::to_integer<unsigned>(bytes[at]); }
unsigned u16(Bytes bytes, std::size_t at) noexcept { return u8(bytes, at) << 8U | u8(bytes, at + 1); }

/// Addresses that no guest has business with, whatever the host has.
const AddressSet& never()
{
    static const AddressSet set{{
        Prefix::parse("0.0.0.0/8"),        // Linux takes 0.0.0.0 for the host itself
        Prefix::parse("127.0.0.0/8"),      // loopback
        Prefix::parse("169.254.0.0/16"),   // link-local, with 169.254.169.254, most clouds' metadata service
        Prefix::parse("100.100.100.200"),  // Alibaba Cloud's metadata service
        Prefix::parse("168.63.129.16"),    // Azure's wire server
        Prefix::parse("224.0.0.0/4"),    // multicast loops back to the host's own listeners, and passt brings no answer
        Prefix::parse("::/96"),          // :: and ::1, which Linux takes for the host itself
        Prefix::parse("fe80::/10"),      // link-local; see answered_by_passt()
        Prefix::parse("ff00::/8"),       // multicast; the same
        Prefix::parse("fd00:ec2::254"),  // AWS's metadata service
        Prefix::parse("fd20:ce::254"),   // Google Cloud's metadata service
    }};
    return set;
}

bool on_link(const Address& address) noexcept
{
    return address.high >> 54U == 0xfe80U >> 6U || address.high >> 56U == 0xff;
}

bool is_denied(const Address& destination, const Rules& rules) noexcept
{
    return rules.host.contains(destination) || (never().contains(destination) && !rules.allowed.contains(destination));
}

bool may_pass_v4(Bytes packet, const Rules& rules) noexcept
{
    constexpr std::size_t shortest_header = 20;
    constexpr std::size_t destination = 16;
    if (packet.size() < shortest_header || u8(packet, 0) >> 4U != 4) {
        return false;
    }
    const auto header = std::size_t{u8(packet, 0) & 0xfU} * 4U;
    if (header < shortest_header || header > packet.size()) {
        return false;
    }
    return !is_denied(Address::v4(packet.subspan(destination).first<4>()), rules);
}

/// Neighbour discovery (ICMPv6 types 133 to 136, RFC 4861) and DHCPv6 (RFC 8415) run over addresses of the link. passt takes these for itself,
/// whatever their address (its ndp() and dhcpv6()); nothing of them gets to the host.
bool answered_by_passt(Bytes packet, std::size_t header) noexcept
{
    constexpr unsigned router_solicitation = 133;
    constexpr unsigned neighbour_advertisement = 136;
    constexpr unsigned dhcpv6_server_port = 547;
    const auto payload = packet.subspan(header);
    const unsigned protocol = u8(packet, 6);
    if (protocol == protocol_icmpv6 && !payload.empty()) {
        return u8(payload, 0) >= router_solicitation && u8(payload, 0) <= neighbour_advertisement;
    }
    const bool multicast = u8(packet, 24) == 0xff;
    return protocol == protocol_udp && multicast && payload.size() >= 4 && u16(payload, 2) == dhcpv6_server_port;
}

bool may_pass_v6(Bytes packet, const Rules& rules) noexcept
{
    constexpr std::size_t header = 40;
    constexpr std::size_t destination = 24;
    if (packet.size() < header || u8(packet, 0) >> 4U != 6) {
        return false;
    }
    const auto address = Address::v6(packet.subspan(destination).first<16>());
    if (address.is_v4()) {
        return false;  // ::ffff:a.b.c.d is IPv4 to Linux, and on no wire
    }
    return !is_denied(address, rules) || (on_link(address) && answered_by_passt(packet, header));
}

}  // namespace

bool may_pass(Bytes frame, const Rules& rules) noexcept
{
    constexpr std::size_t type = 12;
    if (frame.size() < ethernet_header || frame.size() > longest_passed) {
        return false;
    }
    const auto packet = frame.subspan(ethernet_header);
    switch (u16(frame, type)) {
        case type_arp:
            return true;
        case type_ipv4:
            return may_pass_v4(packet, rules);
        case type_ipv6:
            return may_pass_v6(packet, rules);
        default:
            return false;
    }
}

FrameStream::FrameStream() : buffer_{std::make_unique<std::byte[]>(capacity)} {}

std::span<std::byte> FrameStream::room() noexcept
{
    if (run_end_ <= begin_ && begin_ > 0) {  // what is left is less than one frame
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        run_end_ = 0;
    }
    return {buffer_.get() + end_, capacity - end_};
}

/// The size of the frame at `at`, its length word included; 0 while a part of it is missing.
std::size_t FrameStream::whole_frame(std::size_t at) const
{
    const Bytes bytes{buffer_.get() + at, end_ - at};
    if (bytes.size() < length_size) {
        return 0;
    }
    const std::size_t length = std::size_t{u16(bytes, 0)} << 16U | u16(bytes, 2);
    if (length > frame_limit) {
        throw Error{ErrorCode::CorruptData, "a frame of " + std::to_string(length) + " bytes; there are none above " +
                                                std::to_string(frame_limit)};
    }
    return bytes.size() < length_size + length ? 0 : length_size + length;
}

Bytes FrameStream::run(const Rules& rules)
{
    if (run_end_ > begin_) {
        return {buffer_.get() + begin_, run_end_ - begin_};
    }
    run_end_ = begin_;
    while (const auto size = whole_frame(run_end_)) {
        const bool first = run_end_ == begin_;
        const bool passes = may_pass({buffer_.get() + run_end_ + length_size, size - length_size}, rules);
        if (!passes) {
            if (!first) {
                break;  // counted when it comes first
            }
            ++dropped_;
            begin_ += size;
            run_end_ = begin_;
        } else if (first || run_end_ - begin_ + size <= run_limit) {
            run_end_ += size;
        } else {
            break;
        }
    }
    return {buffer_.get() + begin_, run_end_ - begin_};
}

}  // namespace banger::netguard
