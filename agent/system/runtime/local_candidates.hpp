// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/core/runtime/bundle.hpp"

namespace banger::agent {

/// A file of the user's that may be or hold a program.
struct LocalCandidate {
    std::filesystem::path file;
    std::string member;  ///< of the archive that the file is; empty: the file is the program
};

/// What `from` may have of a program. A folder: files named as the program or as its member in a source, then the archives in it. A file:
/// itself, or the members of the archive that it is. Only regular files that are there, at most 64 archives.
/// Throws NotFound (no such file or folder), InvalidArgument (neither), Failed.
std::vector<LocalCandidate> local_candidates(const std::filesystem::path& from, const BundledProgram& program);

}  // namespace banger::agent
