// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/ports/host_examiner.hpp"

namespace banger::agent {

enum class FilePlace {
    Local,
    Network,  ///< other hosts may have it, too; memory that is mapped of a file there is shared with nobody
};

/// Where a file or a folder that is there lies; what can't be asked is Local.
FilePlace place_of(const std::filesystem::path& path) noexcept;

/// A line of `banger doctor` on the folder of the VMs: on a network, read-only, full, or well.
Finding finding_of_state_folder(const std::filesystem::path& state);

}  // namespace banger::agent
