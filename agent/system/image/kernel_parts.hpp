// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "agent/ports/artifact_maker.hpp"
#include "agent/system/image/kernel_checks.hpp"

namespace banger::agent {

/// Where a kernel comes from.
struct KernelFiles {
    std::filesystem::path vmlinuz;
    std::filesystem::path modules;  ///< .../VERSION, with modules.dep
    std::string version;            ///< uname -r
    std::string origin;             ///< e.g. "debian bookworm"
};

/// Fetches and unpacks a suite's kernel package under `scratch`: the one that the recipe names, or its flavour's. The usual one is the cloud flavour: a
/// third of the generic one's size, with all drivers that a VM of ours has (agent/README.md). Throws as ArtifactMaker.
KernelFiles fetch_kernel(const KernelRecipe& recipe, const std::string& suite, const std::filesystem::path& scratch,
                         const MakingProgress& progress);
/// As `kernel list` shows it: "debian bookworm", "ubuntu noble generic".
std::string kernel_origin(const KernelRecipe& recipe, const std::string& suite);

/// Files that a user names. The version is the modules folder's name, if there is one. Throws NotFound, InvalidArgument.
KernelFiles local_kernel(const KernelRecipe& recipe);

/// vmlinux out of a vmlinuz. Throws CorruptData.
KernelSays write_vmlinux(const std::filesystem::path& vmlinuz, const std::filesystem::path& vmlinux);

/// A read-only ext4 of all modules, as large as it must be.
void write_modules_disk(const KernelFiles& kernel, const std::filesystem::path& disk, const std::filesystem::path& log,
                        const MakingProgress& progress);

}  // namespace banger::agent
