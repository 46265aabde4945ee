// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

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

/// Files and symlinks by name.
struct FileList {
    std::string folder;              ///< of this host, absolute
    std::vector<std::string> names;  ///< relative to it; nothing outside of it is read, whatever links are on the way
    std::string prefix;              ///< of their names in the archive, with the slash at its end; "" for none
};

/// Writes the files of these lists as one pax archive to `fd` (blocking), with the folders that they are in (0755), for root, with their modes and times.
/// What isn't there any more is left out; what is neither a file nor a link, too, with a remark. Throws as pack() does.
void pack_lists(int fd, const std::vector<FileList>& lists, const Passed& passed);

/// Unpacks a pax archive from `fd` (blocking) below `folder`. What comes from a guest is hostile: names that lead out of the folder, also through symlinks that
/// were there before, are refused; devices, sockets and pipes are left out with a remark; of extended attributes only `user.` ones are kept.
/// Changes the working directory. Throws CorruptData, Failed, NoSpace.
void unpack(int fd, const std::string& folder, const Renaming& renaming, Owners owners, const Passed& passed);

/// An archive that is read by programs afterwards, not by its user.
struct Inspection {
    /// Whether a member is unpacked at all; `path` is relative to the folder.
    std::function<bool(const std::string& path)> wanted;
    std::uint64_t limit;  ///< of all files' sizes together, holes counted in, in bytes
    /// The most that come: unwanted ones, links and folders counted in, also folders that nothing but a name in them tells of.
    std::uint64_t files;
};
/// The same, without special bits, and each file and folder readable by its owner, whatever the guest thinks of that.
/// Throws NoSpace, too, where a limit is passed.
void unpack_to_inspect(int fd, const std::string& folder, const Renaming& renaming, const Inspection& inspection,
                       const Passed& passed);

}  // namespace banger::cli
