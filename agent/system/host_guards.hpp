// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/ports/host_examiner.hpp"

namespace banger::agent {

/// What keeps a VMM to its own VM's files here, as banger-confine (`program`) says it. Blocks.
Finding finding_of_confinement(const std::filesystem::path& program);

/// Which of AppArmor and SELinux is in force, whether bangerd itself is held by it, and whether users may have namespaces. `root`: "/".
Finding finding_of_access_control(const std::filesystem::path& root);

}  // namespace banger::agent
