// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/size.hpp"

namespace banger::agent {

/// As many bytes of a file's head as tell what it is: up to btrfs' magic, at 64 KiB.
inline constexpr std::size_t disk_head_size = (std::size_t{64} << 10U) + 4096;

/// What a file that is to become a root disk was found to be.
struct DiskFacts {
    ByteSize file_system;  ///< its size; the file has that many bytes at least
    bool is_clean;         ///< unmounted in order, without errors noted in it
    bool notes_errors;     ///< a kernel that had it mounted has found some
};

/// Looks at the head of a file of `size` bytes (source: fs/ext4/ext4.h of Linux 6.1, struct ext4_super_block). `name` is for the sentence.
/// Throws InvalidArgument, which says what it is instead of an ext4 file system and by which command it becomes one; CorruptData for an
/// ext4 that is cut off.
DiskFacts examine_disk(std::span<const std::uint8_t> head, std::uint64_t size, const std::string& name);

}  // namespace banger::agent
