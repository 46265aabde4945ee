// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.hpp"

namespace banger::agent {

inline constexpr auto bundle_description = "bundle.json";

/// The names that bundle.json knows its parts by.
namespace bundle_part {
inline constexpr auto firecracker = "firecracker";
inline constexpr auto jailer = "jailer";
inline constexpr auto kernel = "kernel";
inline constexpr auto boot_modules = "boot-modules";
inline constexpr auto initrd = "initrd";
inline constexpr auto modules = "modules";
inline constexpr auto rootfs = "rootfs";
inline constexpr auto rootfs_docker = "rootfs-docker";
inline constexpr auto packages = "packages";
inline constexpr auto ssh_key = "ssh-key";
}  // namespace bundle_part

/// By what a part's bytes are known, besides their sha256.
enum class Addressing {
    Plain,
    Content,  ///< a content digest, too: images and kernels go by it, and it passes over holes
};

struct BundlePartKind {
    std::string_view name;
    std::string_view usual_file;
    unsigned mode;
    Addressing addressing;
    bool required;
};

/// All parts that a bundle may have.
std::span<const BundlePartKind> bundle_part_kinds() noexcept;
/// Throws InvalidArgument.
const BundlePartKind& bundle_part_kind(std::string_view name);

struct BundlePart {
    std::string name;  ///< of a BundlePartKind
    std::string file;  ///< beside bundle.json. Shape: is_bundle_file()
    std::string version;
    std::uint64_t size;
    Digest sha256;                 ///< of the bytes, as sha256sum(1) prints it
    std::optional<Digest> digest;  ///< as content_digest(); of parts that are addressed by it
};

/// What bundle.json says.
struct BundleContents {
    std::string version;
    std::vector<BundlePart> parts;

    /// nullptr: it has no such part.
    const BundlePart* find(std::string_view name) const noexcept;
};

/// Whether a part's file may be called so: [A-Za-z][A-Za-z0-9._-]{0,63}, and not ending in .json, which records and bundle.json do.
bool is_bundle_file(std::string_view name) noexcept;

/// Shape: an object of format (1), version, architecture (x86_64) and parts, an array of objects of name, file, version, size, sha256 and
/// perhaps digest. Nothing else, nothing twice, and kernel, boot-modules, initrd, modules and one of the root file systems are there.
/// Throws CorruptData: "FILE: what is wrong", naming the part.
BundleContents parse_bundle_contents(std::string_view text, std::string_view file);
/// The same content is the same text.
std::string to_text(const BundleContents& contents);

}  // namespace banger::agent
