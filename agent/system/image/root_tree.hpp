// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/ports/artifact_maker.hpp"

namespace banger::agent {

/// The names in a package list: one a line or several, `#` begins a comment. Throws InvalidArgument (FILE:LINE) for what is no package name.
std::vector<std::string> parse_package_list(std::string_view text, const std::string& name);

/// The list that the default image is made of.
std::vector<std::string> default_packages();

/// Fills the folder `tree` (which doesn't exist yet) with a Debian of those packages. Throws as ArtifactMaker.
void make_root_tree(const std::string& suite, const std::vector<std::string>& packages,
                    const std::filesystem::path& tree, const std::filesystem::path& log,
                    const MakingProgress& progress);

/// Takes out what must differ between two VMs (machine id, host keys) and what is the builder's (its mirrors, its name).
void finish_root_tree(const std::string& suite, const std::filesystem::path& tree);

/// An ext4 of `size` bytes, sparse, with all of `tree`, owners, modes and extended attributes too.
void write_root_disk(const std::filesystem::path& tree, const std::filesystem::path& disk, ByteSize size,
                     const std::filesystem::path& log, const MakingProgress& progress);

}  // namespace banger::agent
