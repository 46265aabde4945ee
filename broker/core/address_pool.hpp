// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/core/config.hpp"
#include "broker/core/sandbox.hpp"

namespace banger::broker {

/// The network of a sandbox: the slot's /30, whose first address is the host's and second the guest's.
SandboxNetwork network_of(const AddressPool& pool, const SandboxRecord& record);

/// The address that a guest's card has in this slot of the pool: locally administered, unique on this machine.
std::array<std::uint8_t, 6> mac_of(std::uint32_t guest);

}  // namespace banger::broker
