// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/paths.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {

/// Waits for, and takes, the right to start bangerd; held until the descriptor closes. Makes the runtime folder.
/// Throws NotAuthorized when that folder is another user's or open to others.
UniqueFd lock_start(const Paths& paths);

/// Starts bangerd on a private bus, detached from this session, and returns once it serves.
/// Throws Unavailable with its words when it fails, HostLacks when there is no bangerd.
void start_bangerd(const Paths& paths);

}  // namespace banger::cli
