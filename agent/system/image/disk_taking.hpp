// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/core/image/disk_kind.hpp"
#include "agent/ports/artifact_maker.hpp"
#include "agent/system/confinement.hpp"

namespace banger::agent {

/// What a regular file or a block device holds. Throws NotFound, Failed (neither of them), and as examine_disk().
DiskFacts look_at_disk(const std::filesystem::path& disk);

/// The same; throws InvalidArgument also for one that was not unmounted in order, with the command that mends it.
DiskFacts check_clean_disk(const std::filesystem::path& disk);

/// Copies what is in use of a file system that nobody has mounted, sparse, by e2image(8): deleted files' blocks stay behind. One that was not
/// unmounted in order is mended first, in its place, by e2fsck(8). Both see those two files alone. Throws CorruptData, HostLacks, NoSpace, Cancelled,
/// Failed.
void copy_used_blocks(const std::filesystem::path& disk, const std::filesystem::path& target,
                      const std::filesystem::path& log, const MakingProgress& progress, const Confine& confine);

}  // namespace banger::agent
