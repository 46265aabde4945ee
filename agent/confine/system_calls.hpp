// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/confine/arguments.hpp"

namespace banger::confine {

/// Refuses (EPERM) the system calls by which a program of this user gets at what Landlock doesn't guard: owners, modes and attributes of
/// files, other processes and what they share, mounts and namespaces, io_uring, and sockets but those that it is allowed. For this process
/// and what it becomes; the VMM's own filter comes on top. Throws Failed.
void restrict_system_calls(Sockets sockets);

/// What is left of the sockets that it may have where others' would be in reach: those of any folder without a root of its own, and abstract ones
/// in the host's network before Landlock's version 6. Then it calls none, and bangerd does without Firecracker's calls.
Sockets sockets_in_reach(const Arguments& arguments, bool own_root, int landlock_version) noexcept;

}  // namespace banger::confine
