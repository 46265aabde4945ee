// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/ports/guest_wire.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "tests/lab/ports/support.hpp"

namespace banger::broker::test {
namespace {

constexpr int answer_ms = 5000;
constexpr int late_ms = 1000;
constexpr Mac everybody{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

template <typename... Byte>
std::string bytes(Byte... byte)
{
    return {static_cast<char>(byte)...};
}

std::string two(std::uint32_t value) { return bytes(value >> 8U, value); }
std::string four(std::uint32_t value) { return two(value >> 16U) + two(value & 0xffffU); }
std::string six(const Mac& mac) { return {mac.begin(), mac.end()}; }
std::uint8_t at(const Frame& frame, std::size_t place)
{
    return place < frame.size() ? static_cast<std::uint8_t>(frame[place]) : std::uint8_t{0};
}
std::uint32_t four_at(const Frame& frame, std::size_t place)
{
    return std::uint32_t{at(frame, place)} << 24U | std::uint32_t{at(frame, place + 1)} << 16U |
           std::uint32_t{at(frame, place + 2)} << 8U | at(frame, place + 3);
}
bool has_type(const Frame& frame, std::uint16_t type) { return frame.substr(12, 2) == two(type); }

std::string sum(const std::string& text)
{
    std::uint32_t total = 0;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        total += static_cast<std::uint32_t>(at(text, i) << 8U) + at(text, i + 1);
    }
    while (total > 0xffffU) {
        total = (total & 0xffffU) + (total >> 16U);
    }
    return two(~total & 0xffffU);
}

/// To the host's MAC, which a TAP takes from a broadcast, too.
Frame ip(const Mac& ether, std::uint8_t protocol, std::uint32_t from, std::uint32_t to, const std::string& rest,
         const Mac& host)
{
    auto header = bytes(0x45, 0) + two(static_cast<std::uint32_t>(20 + rest.size())) + four(0x12344000) +
                  bytes(64, protocol) + two(0) + four(from) + four(to);
    header.replace(10, 2, sum(header));
    return six(host) + six(ether) + two(0x0800) + header + rest;
}

std::string transport(std::uint8_t protocol, std::uint32_t from, std::uint32_t to, std::string rest, std::size_t place)
{
    const auto pseudo = four(from) + four(to) + bytes(0, protocol) + two(static_cast<std::uint32_t>(rest.size()));
    return rest.replace(place, 2, sum(pseudo + rest));
}

/// The MAC of the host's end is one of its own choice: what is sent here goes to a fixed one.
constexpr Mac host_mac{0x02, 0xba, 0xff, 0, 0, 1};

}  // namespace

Frame arp(const Mac& ether, const Mac& sender, std::uint32_t from, std::uint32_t asked)
{
    return six(everybody) + six(ether) + two(0x0806) + two(1) + two(0x0800) + bytes(6, 4) + two(1) + six(sender) +
           four(from) + six({}) + four(asked);
}

Frame echo(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t number)
{
    auto message = bytes(8, 0) + two(0) + two(77) + two(number) + "payload.";
    message.replace(2, 2, sum(message));
    return ip(ether, 1, from, to, message, host_mac);
}

Frame udp(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t port)
{
    return ip(ether, 17, from, to, transport(17, from, to, two(4000) + two(port) + two(12) + two(0) + "data", 6),
              host_mac);
}

Frame tcp_syn(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t port)
{
    const auto header = two(4001) + two(port) + four(7) + four(0) + bytes(0x50, 2) + two(65535) + two(0) + two(0);
    return ip(ether, 6, from, to, transport(6, from, to, header, 16), host_mac);
}

Frame tagged(const Frame& frame, std::uint16_t type)
{
    return frame.substr(0, 12) + two(type) + two(5) + frame.substr(12);
}

std::uint32_t address(const std::string& text)
{
    in_addr found{};
    EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &found), 1) << text;
    return ntohl(found.s_addr);
}

bool is_arp_reply(const Frame& frame) { return has_type(frame, 0x0806) && at(frame, 21) == 2; }

bool is_ip(const Frame& frame, std::uint8_t protocol, std::uint32_t from)
{
    return has_type(frame, 0x0800) && at(frame, 23) == protocol && four_at(frame, 26) == from;
}

bool is_echo_reply(const Frame& frame, std::uint32_t from, std::uint16_t number)
{
    return is_ip(frame, 1, from) && at(frame, 34) == 0 && frame.substr(40, 2) == two(number);
}

/// The host asks again after some seconds whether a guest is still there, and sends it nothing where it does not answer.
static Frame arp_answer(const SandboxNetwork& network)
{
    return six(host_mac) + six(network.mac) + two(0x0806) + two(1) + two(0x0800) + bytes(6, 4) + two(2) +
           six(network.mac) + four(network.guest) + six(host_mac) + four(network.gateway);
}

GuestWire::GuestWire(const SandboxNetwork& which) : network{which}
{
    taps_.create(network);
    must("ip link set " + network.tap + " address 02:ba:ff:00:00:01");
    tap_ = open_tap_as(network.uid, network.tap);
    EXPECT_TRUE(tap_);
}

GuestWire::~GuestWire() { taps_.remove(network.altname); }

void GuestWire::send(const Frame& frame) const
{
    EXPECT_EQ(::write(tap_.get(), frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
}

std::vector<Frame> GuestWire::received()
{
    send(echo(network.mac, network.guest, network.gateway, ++number_));
    std::vector<Frame> frames;
    pollfd wait{.fd = tap_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 2048> buffer;
    while (::poll(&wait, 1, answer_ms) == 1) {
        const auto got = ::read(tap_.get(), buffer.data(), buffer.size());
        Frame frame{buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
        if (is_echo_reply(frame, network.gateway, number_)) {
            return frames;
        }
        if (has_type(frame, 0x0806) && at(frame, 21) == 1 && four_at(frame, 38) == network.guest) {
            send(arp_answer(network));
            continue;
        }
        const bool to_all = !frame.empty() && (static_cast<unsigned char>(frame[0]) & 1U) != 0;
        if (to_all && !has_type(frame, 0x0806)) {
            continue;  // IGMP, LLMNR: what a host says of itself on each new interface
        }
        frames.push_back(std::move(frame));
    }
    ADD_FAILURE() << "the host does not answer an echo on " << network.tap;
    return {};
}

bool GuestWire::gets(const std::function<bool(const Frame&)>& is_it)
{
    const auto frames = received();
    if (std::any_of(frames.begin(), frames.end(), is_it)) {
        return true;
    }
    // Who is not the host itself may answer after it.
    pollfd wait{.fd = tap_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 2048> buffer;
    while (::poll(&wait, 1, late_ms) == 1) {
        const auto got = ::read(tap_.get(), buffer.data(), buffer.size());
        if (is_it({buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))})) {
            return true;
        }
    }
    return false;
}

void GuestWire::announce()
{
    taps_.up(network);
    send(arp(network.mac, network.mac, network.guest, network.gateway));
    EXPECT_TRUE(gets(is_arp_reply));
}

}  // namespace banger::broker::test
