// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace banger::agent {

/// What an unpacked kernel says of itself.
struct KernelSays {
    std::optional<std::string> version;       ///< uname -r
    std::vector<std::string> not_built_in{};  ///< of what a VM needs before it has its modules disk
};

KernelSays ask_kernel(std::span<const std::uint8_t> vmlinux);

/// That a kernel and its modules belong together. `name` is the kernel's. Throws CorruptData.
void check_same_version(const KernelSays& kernel, const std::string& name, const std::filesystem::path& modules);

/// Of a kernel without modules: its version, if all that a VM needs is built in. Throws CorruptData, which names what isn't.
std::string version_without_modules(const KernelSays& kernel, const std::string& name);

/// A folder of no modules, as depmod leaves it, for a kernel without any. Throws NoSpace, Failed.
std::filesystem::path make_empty_modules(const std::filesystem::path& folder, const std::string& version);

/// Writes what the kernel unpacks first, and behind it banger's own initrd. Throws NotFound, CorruptData (no initrd), NoSpace, Failed.
void join_initrds(const std::filesystem::path& first, const std::filesystem::path& own,
                  const std::filesystem::path& target);
/// Throws NotFound, CorruptData for a file that is no initrd.
void check_initrd(const std::filesystem::path& file);

}  // namespace banger::agent
