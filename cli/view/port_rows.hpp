// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/view/output.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace banger::cli {

/// A port of this host that leads into a guest, as Vm.ListForwards has it.
struct OpenForward {
    std::string address;
    std::uint16_t port{0};
    std::uint16_t guest_port{0};
};

/// What listens in a guest, and how it is reached from here.
struct PortRow {
    std::string protocol{};
    std::uint16_t port{0};
    std::string address{};  ///< where it listens; "": nothing does
    std::string program{};
    std::string direct{};  ///< over the VM's own network; "": not so
    std::vector<OpenForward> forwards{};
};

/// "127.0.0.1:8080", "[::1]:8080".
std::string place_of(const std::string& address, std::uint16_t port);

/// `listeners`: what a guest answers to Query("listeners"), which may be anything. `tap_address`: the VM's, where this host reaches it by one; else "".
std::vector<PortRow> port_rows(const JsonValue& listeners, const std::vector<OpenForward>& forwards,
                               const std::string& tap_address);

}  // namespace banger::cli
