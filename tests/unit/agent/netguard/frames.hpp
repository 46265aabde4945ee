// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "agent/netguard/frame_filter.hpp"

// Frames made by hand, as a guest may send them.
namespace banger::netguard::test {

using Bytes = std::vector<std::byte>;

inline void append(Bytes& to, std::initializer_list<unsigned> values)
{
    for (const auto value : values) {
        to.push_back(static_cast<std::byte>(value));
    }
}

inline void append_number(Bytes& to, std::uint64_t number, unsigned size)
{
    while (size-- > 0) {
        to.push_back(static_cast<std::byte>(number >> size * 8U & 0xffU));
    }
}

inline Bytes ethernet(unsigned type, const Bytes& payload)
{
    Bytes frame;
    append(frame, {0x52, 0x55, 0, 0, 0, 1, 0x02, 0x62, 0, 0, 0, 1, type >> 8U, type & 0xffU});
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

inline Bytes ipv4_packet(std::string_view to, std::size_t payload = 8)
{
    Bytes packet;
    append(packet, {0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 2});
    append_number(packet, Address::parse(to).low, 4);
    packet.resize(packet.size() + payload);
    return packet;
}

inline Bytes ipv4(std::string_view to, std::size_t payload = 8) { return ethernet(0x0800, ipv4_packet(to, payload)); }

/// `payload` is what follows the header.
inline Bytes ipv6(std::string_view to, unsigned protocol = 17, const Bytes& payload = Bytes(8))
{
    Bytes packet;
    append(packet, {0x60, 0, 0, 0, 0, 8, protocol, 255});
    packet.resize(24);  // from ::
    const auto address = Address::parse(to);
    append_number(packet, address.high, 8);
    append_number(packet, address.low, 8);
    packet.insert(packet.end(), payload.begin(), payload.end());
    return ethernet(0x86dd, packet);
}

inline Bytes icmpv6(std::string_view to, unsigned type)
{
    Bytes payload(24);
    payload[0] = static_cast<std::byte>(type);
    return ipv6(to, 58, payload);
}

inline Bytes arp() { return ethernet(0x0806, Bytes(28)); }

/// As on the stream: its length, then the frame.
inline Bytes framed(const Bytes& frame)
{
    Bytes bytes;
    append_number(bytes, frame.size(), 4);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    return bytes;
}

inline Bytes operator+(Bytes left, const Bytes& right)
{
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

/// A host with three addresses, whose guests get their resolver from passt.
inline Rules rules()
{
    Rules rules;
    rules.host = AddressSet{{Prefix::parse("192.0.2.2"), Prefix::parse("203.0.113.5"), Prefix::parse("2001:db8::5")}};
    rules.allowed = AddressSet{{Prefix::parse("169.254.77.2")}};
    return rules;
}

}  // namespace banger::netguard::test
