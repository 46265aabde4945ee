// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/names.hpp"

namespace banger::broker {

/// The port of a client's socket, when that may answer for its sandbox's name: UDP over IPv4, the caller's own, bound to the sandbox's
/// gateway address and to a port from 1024 on (R31). Throws InvalidArgument with what is wrong.
std::uint16_t check_name_server(const SocketFacts& facts, const SandboxNetwork& network);

}  // namespace banger::broker
