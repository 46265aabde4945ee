// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

namespace banger::tap {

/// The VMM's device, by this name in the namespace.
inline constexpr auto guest_device = "guest0";

/// Makes guest0 (the user's own, persistent), relay0 and the bridge between them in this network namespace, all up, with no address and no
/// IPv6. Gives relay0, non-blocking: a frame a read or write, without offloads. Throws HostLacks (/dev/net/tun), Failed.
UniqueFd make_bridged_tap();

}  // namespace banger::tap
