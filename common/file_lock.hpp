// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "common/unique_fd.hpp"

namespace banger {

/// Locks `file` for this process alone, and makes it (0600) where it is missing; gone with the descriptor or the process. nullopt: another
/// process held it all of `wait`. Not flock(2), which a child that has not come to its exec yet would hold on to after our death.
/// Waiting takes SIGALRM for itself: before other threads, or with one that may get it. Throws HostLacks (the file system has no locks, as NFS
/// without its lock service), and what errno_error() makes of a file that can't be opened.
std::optional<UniqueFd> lock_file(const std::string& file, std::chrono::seconds wait);

}  // namespace banger
