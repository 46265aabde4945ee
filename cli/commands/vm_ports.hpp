// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

#include <cstdint>
#include <string>

namespace banger::cli {

/// A port of this host and the one of the guest that it leads to.
struct ForwardWish {
    std::string address;  ///< numeric; empty: 127.0.0.1
    std::uint16_t port{0};
    std::uint16_t guest_port{0};
};

/// Shape: [ADDRESS:]PORT:GUEST_PORT, or PORT for the same on both sides; an IPv6 ADDRESS in brackets, `localhost` for 127.0.0.1; PORT 0 for any
/// that is free. Throws InvalidArgument.
ForwardWish parse_forward(const std::string& text);

/// Shape: [ADDRESS:]PORT, for the end of one. Throws InvalidArgument.
ForwardWish parse_open_port(const std::string& text);

/// `banger vm ports` and `banger vm forward`.
void add_vm_ports(Command vm, Context& context);
void add_vm_forward(Command vm, Context& context);

}  // namespace banger::cli
