// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace banger::agent {

/// The version (uname -r) that an unpacked kernel says of itself: what stands behind "Linux version " in it (init/version-timestamp.c);
/// none where it doesn't say. At most 64 letters of those that a version may have.
std::optional<std::string> kernel_version(std::span<const std::uint8_t> vmlinux);

/// The configuration that a kernel with CONFIG_IKCONFIG holds (kernel/configs.c): gzip, between two marks; empty where there is none.
std::span<const std::uint8_t> kernel_config(std::span<const std::uint8_t> vmlinux);

/// What a VM needs of a kernel and what its parts are called.
struct KernelPart {
    std::string_view module;  ///< as modprobe knows it
    std::string_view option;  ///< in the configuration
    std::string_view
        in_text;  ///< the name by which the code in the kernel knows itself: a driver's, or a file system's
};

/// Whether a kernel has this part built in: by its configuration (unpacked; empty: not known), else by the name, which its code then has.
bool has_built_in(std::span<const std::uint8_t> vmlinux, std::string_view config, const KernelPart& part);

}  // namespace banger::agent
