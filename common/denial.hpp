// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger {

/// AppArmor, SELinux, both with a comma between them, or nothing: what may refuse here what file modes allow. `root`: "/".
std::string access_control_in_force(const std::filesystem::path& root);

/// What went wrong, as it was said; where that is a permission and such a guard is on, which one may be behind it and how to see it.
std::string with_denial_hint(std::string said, const std::filesystem::path& root = "/");

}  // namespace banger
