// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/image/image_config.hpp"
#include "common/ids.hpp"

namespace banger::agent {

/// An image or a kernel in the cache.
struct Artifact {
    std::string name;  ///< empty: replaced by a newer one of that name, kept because a VM uses it
    Digest digest;
    std::filesystem::path folder;
    std::uint64_t size;   ///< bytes as seen
    std::uint64_t used;   ///< bytes on the disk
    std::string version;  ///< of a kernel: uname -r
    std::string origin;   ///< e.g. "debian bookworm"
    std::int64_t created;
    /// Of the files that VMs take directly, by their names, as they were taken in; empty: not known.
    std::map<std::string, std::string> stamps{};
    std::string manifest{};               ///< of a pulled image: the sha256 of the manifest it was made of
    std::optional<ImageConfig> config{};  ///< the same: what it says of how it is run
    bool damaged{false};  ///< of an image: somebody has read all of it, and it isn't what its digest says
};

namespace artifact_file {
inline constexpr auto root_file_system = "rootfs.ext4";
inline constexpr auto kernel = "vmlinux";
inline constexpr auto initrd = "initrd";
inline constexpr auto modules = "modules.ext4";
inline constexpr auto boot_modules =
    "boot-modules.cpio";  ///< those in the initrd, which it is made of anew with another banger-guest
inline constexpr auto first_initrd = "first.cpio";  ///< of the user's, which the kernel unpacks before banger's
}  // namespace artifact_file

/// The images or the kernels in the cache, which other bangerds may share. Loop thread; reads small files only.
class Artifacts {
public:
    Artifacts() = default;
    Artifacts(const Artifacts&) = delete;
    Artifacts& operator=(const Artifacts&) = delete;
    virtual ~Artifacts() = default;

    /// By name, digest, or at least 8 first digits of one.
    virtual std::optional<Artifact> find(std::string_view name) const = 0;
    /// Sorted by name.
    virtual std::vector<Artifact> list() const = 0;
    /// Where a new one is to be made: on the same file system, with a name that no artifact has.
    virtual std::filesystem::path draft(const std::string& name) const = 0;
    /// Drafts that are there: of a bangerd that was killed, unless one is being made.
    virtual std::vector<std::filesystem::path> drafts() const = 0;
    /// Takes a finished draft in under its digest and name; an older one of that name loses it, or is removed unless `in_use`.
    /// A SIGKILL or a power cut at any point leaves the older one, the new one, or both. Throws CorruptData, NoSpace, AlreadyExists (the very same
    /// content is there under another name).
    virtual Artifact adopt(const std::filesystem::path& draft, const std::function<bool(const Digest&)>& in_use) = 0;
    /// Throws Failed.
    virtual void remove(const Digest& digest) = 0;

    /// Whether the files that VMs take directly are those that were taken in, by size, time and inode, or copies that kept size and time:
    /// some stats, no more. And whether somebody has found it damaged. Throws CorruptData, which names the artifact and what mends it.
    virtual void check(const Artifact& artifact) const = 0;
    /// Of an image: takes the files as they are now for those that were taken in: somebody has read all of them. Throws NotFound, NoSpace, Failed.
    virtual void restamp(const Digest& digest) = 0;
    /// Of an image that was read as it stands there: it is damaged. So it stays until the same content takes its place, or it is read once more and
    /// restamped. Throws CorruptData, NoSpace, Failed.
    virtual void mark_damaged(const Artifact& read) = 0;
    /// Takes it out of the catalog at once; its files are to be discarded from where this says. Throws Failed.
    virtual std::filesystem::path set_aside(const Digest& digest) = 0;
    /// The same for one that has lost its name; nullopt: it has one by now, and stays.
    virtual std::optional<std::filesystem::path> set_aside_nameless(const Digest& digest) = 0;
};

}  // namespace banger::agent
