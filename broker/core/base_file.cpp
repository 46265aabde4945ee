// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/base_file.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "common/error.hpp"

namespace banger::broker {
namespace {

/// linux/magic.h, and for zfs its own sources (ZFS_SUPER_MAGIC).
constexpr std::uint64_t ext4 = 0xef53;
constexpr std::uint64_t xfs = 0x58465342;
constexpr std::uint64_t btrfs = 0x9123683e;
constexpr std::uint64_t f2fs = 0xf2f52010;
constexpr std::uint64_t zfs = 0x2fc12fc1;
constexpr std::array allowed{ext4, xfs, btrfs, f2fs, zfs};

[[noreturn]] void refuse(const char* what)
{
    throw Error{ErrorCode::InvalidArgument, std::string{"the disk's descriptor "} + what};
}

}  // namespace

void check_opening(const OpeningFacts& facts)
{
    if ((facts.flags & O_PATH) != 0) {
        refuse("is O_PATH");
    }
    if ((facts.flags & O_ACCMODE) != O_RDONLY) {
        refuse("must be opened for reading alone");
    }
    if (std::find(allowed.begin(), allowed.end(), facts.file_system) == allowed.end()) {
        refuse("must be on ext4, xfs, btrfs, f2fs or zfs");
    }
}

ByteSize check_base(const FileFacts& facts)
{
    constexpr std::uint64_t sector = 512;
    if (facts.type != FileFacts::Type::Regular) {
        refuse("is none of a regular file");
    }
    if (facts.links == 0) {
        refuse("is of a file that has no name");
    }
    if (facts.size == 0 || facts.size % sector != 0) {
        refuse("is of a file whose size is not a whole number of sectors");
    }
    return ByteSize{facts.size};
}

}  // namespace banger::broker
