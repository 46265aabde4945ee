// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"

namespace banger::agent {

/// Has the user's own pip download one wheel into a folder: from where it is configured to (pip.conf; PIP_* variables that bangerd was
/// started with), so that a site's mirror is honoured. Nothing of the wheel is installed or run, nor anything it depends on.
/// Gives the wheel's file. Worker thread. Throws HostLacks (no pip), Unavailable (what pip said), NoSpace, Cancelled.
std::filesystem::path pip_download(const PipSource& source, const std::filesystem::path& folder,
                                   const RuntimeProgress& progress);

}  // namespace banger::agent
