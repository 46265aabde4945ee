// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/guest_doors.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/unix_socket.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view connect_command = "CONNECT 1024\n";
constexpr auto knock_socket = "guest.sock_1024";

/// Firecracker's answer, "OK PORT", comes before the guest's first bytes; the handshake passes over what isn't its own.
UniqueFd connect_vsock(const std::filesystem::path& folder)
{
    auto fd = connect_in(folder, vm_folder::guest_socket);
    const auto sent = ::send(fd.get(), connect_command.data(), connect_command.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(connect_command.size())) {
        throw errno_error("Firecracker's vsock takes no command", sent < 0 ? errno : EIO, ErrorCode::Unavailable);
    }
    return fd;
}

}  // namespace

GuestDoor qemu_guest_door(const std::filesystem::path& folder)
{
    return {[folder] { return connect_in(folder, vm_folder::guest_socket); }};
}

GuestDoor firecracker_guest_door(const std::filesystem::path& folder)
{
    GuestDoor door{[folder] { return connect_vsock(folder); }};
    try {
        door.knocks = listen_in(folder, knock_socket);
        ::fcntl(door.knocks.get(), F_SETFL, O_NONBLOCK);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): then the pauses between two tries are what there is
    }
    return door;
}

GuestDoor guest_door_of(std::string_view vmm, const std::filesystem::path& folder)
{
    return vmm == "firecracker" ? firecracker_guest_door(folder) : qemu_guest_door(folder);
}

}  // namespace banger::agent
