// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "cli/copy/member_name.hpp"

namespace banger::cli {

constexpr std::size_t archive_block_size = std::size_t{256} * 1024;  // bytes read or written at a time

/// Whose files are made on the other side, and whether setuid, setgid and sticky bits are kept.
enum class Owners {
    Receiver,  ///< root in a guest; the user here, without those bits
    Archive,   ///< the numbers of the source
};
enum class SourceLinks { Keep, Follow };

/// Told of bytes as they pass.
using Passed = std::function<void(std::size_t bytes)>;

/// Writes `path` of this host, a file or a folder with all in it, as a pax archive to `fd` (blocking). Sockets and devices are left out with a remark.
/// Throws NotFound, Failed; Unavailable when the other side takes no more.
void pack(int fd, const std::string& path, const Renaming& renaming, Owners owners, SourceLinks links,
          const Passed& passed);

/// Unpacks a pax archive from `fd` (blocking) below `folder`. What comes from a guest is hostile: names that lead out of the folder, also through symlinks that
/// were there before, are refused; devices, sockets and pipes are left out with a remark; of extended attributes only `user.` ones are kept.
/// Changes the working directory. Throws CorruptData, Failed, NoSpace.
void unpack(int fd, const std::string& folder, const Renaming& renaming, Owners owners, const Passed& passed);

}  // namespace banger::cli
