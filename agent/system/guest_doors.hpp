// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "agent/ports/vmm.hpp"

namespace banger::agent {

/// virtio-serial: QEMU's socket is the guest's port.
GuestDoor qemu_guest_door(const std::filesystem::path& folder);

/// vsock through Firecracker's socket (its docs/vsock.md, 1.12): "CONNECT PORT" asks for the guest's listener, and is cut off while there
/// is none; the guest's own connections to PORT arrive at a socket with _PORT behind its name, where it knocks.
GuestDoor firecracker_guest_door(const std::filesystem::path& folder);

/// Of the VMM with this name, as in VmRecord::vmm.
GuestDoor guest_door_of(std::string_view vmm, const std::filesystem::path& folder);

/// banger.channel= of a guest behind the second kind.
inline constexpr auto firecracker_channel = "vsock:1024";

}  // namespace banger::agent
