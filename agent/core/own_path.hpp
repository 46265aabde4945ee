// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::agent {

/// Whether a file or folder is there, this user's, and nobody else may write it. Links are followed.
bool is_own(const std::filesystem::path& path) noexcept;
/// Throws NotAuthorized, with what mends it, for what isn't.
void check_is_own(const std::filesystem::path& path);

}  // namespace banger::agent
