// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace banger::agent {

/// The modules a guest needs to reach its root disk, in load order. `modules` is a /lib/modules/VERSION tree with modules.dep.
/// Built-in ones are left out. Throws CorruptData: "this kernel has no virtio_blk".
std::vector<std::filesystem::path> boot_modules(const std::filesystem::path& modules);

/// Writes them as a cpio (newc) with /etc/banger/modules (one path a line, in load order): the part of an initrd that belongs to the kernel.
/// Not packed, as unpacking costs more boot time than it saves; the same bytes for the same input. Throws NoSpace, Failed, CorruptData.
void write_boot_modules(const std::filesystem::path& file, const std::vector<std::filesystem::path>& modules);

/// Writes the initrd: a cpio with /init (banger-guest), mount points and /dev/console, and behind it the kernel's part; the kernel unpacks
/// one after the other (Documentation/driver-api/early-userspace/buffer-format.rst). Throws NoSpace, Failed, NotFound.
void write_initrd(const std::filesystem::path& file, const std::filesystem::path& guest_program,
                  const std::filesystem::path& boot_modules);

}  // namespace banger::agent
