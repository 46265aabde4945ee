// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "broker/core/sandbox.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker::test {

/// The network of slot `slot`, in 172.30.0.0/16; without NAT.
SandboxNetwork network_of(unsigned slot, uid_t uid, const std::string& id);
/// A VMM's descriptor of a TAP, frames without a header of virtio's; none when the kernel refuses.
UniqueFd open_tap_as(uid_t uid, const std::string& name);

}  // namespace banger::broker::test
