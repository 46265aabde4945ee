// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/core/image/package_list.hpp"
#include "agent/ports/artifact_maker.hpp"

namespace banger::agent {

/// The list that the default image is made of.
std::vector<ListedPackage> default_packages();
/// What makes `docker run` work in a guest.
std::vector<ListedPackage> docker_packages(const std::string& suite);

/// What a tree is to be made of, and where.
struct TreeRecipe {
    std::string image;  ///< its name, for the customise script
    std::string suite;
    std::vector<std::string> packages;
    std::vector<ListedPackage> listed;  ///< the same, with who asked for each
    std::filesystem::path tree;         ///< doesn't exist yet, or holds the unpacked base
    std::filesystem::path scratch;      ///< a folder for what the build needs meanwhile
    std::filesystem::path log;
    std::filesystem::path base{};              ///< an ext4 that was unpacked into `tree`; empty: the tree is made anew
    std::string base_name{};                   ///< as people call it
    std::filesystem::path customize_script{};  ///< empty: none
    bool docker{false};
};

/// Makes `tree` out of the base. Throws as ArtifactMaker; InvalidArgument for one without dpkg and apt.
void unpack_base(const TreeRecipe& recipe, const MakingProgress& progress);
/// Puts aside what of a base would be taken for the build's own, and what the host's apt would take orders from; finish_based_tree() gives it back.
void set_base_aside(const std::filesystem::path& tree);
/// VERSION_CODENAME of a tree's os-release; empty where it has none.
std::string suite_of_tree(const std::filesystem::path& tree);

/// Fills the tree with a Debian or Ubuntu of those packages, or adds them to the base. Throws as ArtifactMaker: NotFound names the line that asked for a
/// package that doesn't exist, Failed has what the customise script said.
void make_root_tree(const TreeRecipe& recipe, const MakingProgress& progress);

/// Takes out what must differ between two VMs (machine id, host keys) and what is the builder's (its mirrors, its name).
void finish_root_tree(const std::string& suite, const std::filesystem::path& tree);

/// The same for a tree with a base, whose own sources, name and resolver it gets back.
void finish_based_tree(const std::filesystem::path& tree);

/// An ext4 of `size` bytes, sparse, with all of `tree`, owners, modes and extended attributes too. Throws as ArtifactMaker; InvalidArgument where that
/// doesn't fit.
void write_root_disk(const std::filesystem::path& tree, const std::filesystem::path& disk, ByteSize size,
                     const std::filesystem::path& log, const MakingProgress& progress);

}  // namespace banger::agent
