// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "broker/system/tun_ioctl.hpp"
#include "tests/lab/ports/network.hpp"

namespace banger::broker::test {

using Frame = std::string;
using Mac = std::array<std::uint8_t, 6>;

/// What a guest would write, with a liar's choice of addresses.
Frame arp(const Mac& ether, const Mac& sender, std::uint32_t from, std::uint32_t asked);
Frame echo(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t number);
Frame udp(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t port);
Frame tcp_syn(const Mac& ether, std::uint32_t from, std::uint32_t to, std::uint16_t port);
/// Of an untagged one, one with a VLAN's tag; `type` 0x8100 or 0x88a8.
Frame tagged(const Frame& frame, std::uint16_t type);
std::uint32_t address(const std::string& text);

bool is_arp_reply(const Frame& frame);
/// Protocol 1: ICMP, 6: TCP, 17: UDP; from this address.
bool is_ip(const Frame& frame, std::uint8_t protocol, std::uint32_t from);
bool is_echo_reply(const Frame& frame, std::uint32_t from, std::uint16_t number);

/// A TAP in the hands of a VMM, and what is read from it.
class GuestWire {
public:
    explicit GuestWire(const SandboxNetwork& network);
    ~GuestWire();

    void send(const Frame& frame) const;
    /// What the host has sent since the last call: all up to its answer to an echo of ours to the gateway, sent now, which is not among it. Empty
    /// with a failure when there is no answer.
    std::vector<Frame> received();
    /// Whether any of received() is one, or of what comes in the second after it.
    bool gets(const std::function<bool(const Frame&)>& is_it);
    /// The host knows this guest's MAC then.
    void announce();

    SandboxNetwork network;

private:
    TunTaps taps_;
    UniqueFd tap_;
    std::uint16_t number_{1000};
};

}  // namespace banger::broker::test
