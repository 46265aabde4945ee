// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// Mounts a kernel file system unless it is there; makes the folder. Throws Failed.
void mount_kernel_fs(const char* type, const std::string& target, unsigned long flags, const char* options = "");

/// Mounts a disk, by the first of ext4, squashfs and erofs that takes it. Throws Failed.
void mount_disk(const std::string& device, const std::string& target, bool read_only);

/// As an init needs them: /proc, /sys, /dev, /dev/pts, /dev/shm, /run, /tmp, each unless it is there.
void mount_standard();

/// Makes `root` the root of the file tree, with /dev, /proc, /sys and /run moved along, deletes the initrd's files, and
/// executes `init`. Returns only by an exception (Failed).
[[noreturn]] void switch_root(const std::string& root, const std::string& init);

}  // namespace banger::guest
