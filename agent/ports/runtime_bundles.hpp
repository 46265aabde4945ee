// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/core/runtime/bundle_contents.hpp"
#include "agent/ports/runtime.hpp"

namespace banger::agent {

/// How the origin of an image or kernel from a bundle begins; the bundle's version goes on.
inline constexpr auto bundle_origin = "runtime bundle ";

/// A folder with a bundle.json.
struct FoundBundle {
    std::filesystem::path folder;
    BundleContents contents;
    std::string origin;  ///< where it came from, for people

    std::filesystem::path file_of(const BundlePart& part) const { return folder / part.file; }
};

/// A file of this host that goes into a new bundle.
struct BundleIngredient {
    std::string part;  ///< of a BundlePartKind
    std::filesystem::path file;
    std::string version;
    std::string text{};              ///< the content itself, where `file` is empty
    std::optional<Digest> digest{};  ///< that the file must have, as content_digest(); nullopt: whatever it has
};

struct BundleRecipe {
    std::string version;
    std::vector<BundleIngredient> ingredients;
    std::filesystem::path output;  ///< an archive; a folder where it is one or ends in a slash
    std::int64_t modified;         ///< the time that all files of the archive get, seconds since 1970
};

struct PackedBundle {
    std::filesystem::path output;
    std::optional<Digest> sha256;  ///< of the archive; nullopt: it is a folder
    std::uint64_t size;            ///< on the disk
    BundleContents contents;
};

/// Firecracker, kernel and images as one folder that bundle.json describes: found, fetched, taken into use, made. Where it is looked for:
/// the runtime folder, then what was installed beside bangerd.
class RuntimeBundles {
public:
    RuntimeBundles() = default;
    RuntimeBundles(const RuntimeBundles&) = delete;
    RuntimeBundles& operator=(const RuntimeBundles&) = delete;
    virtual ~RuntimeBundles() = default;

    /// Folders that have or may get a bundle, in the order in which they are asked. Any thread.
    virtual std::vector<std::filesystem::path> places() const = 0;
    /// The first one that is there; reads small files only. Any thread. Throws CorruptData (bundle.json, or half a bundle), NotAuthorized
    /// (others may write it).
    virtual std::optional<FoundBundle> find() const = 0;
    /// The root file system that image builds start from: of a bundle with `rootfs-docker` and no `rootfs`. nullopt: there is none. Any
    /// thread. Throws as find(), CorruptData (not the file that bundle.json names).
    virtual std::optional<std::filesystem::path> image_base(const std::stop_token& stop) const = 0;
    /// Finishes or clears up what a bangerd that was killed left in the runtime folder; leaves it alone while another one fetches.
    virtual void recover() = 0;

    /// Fetches, checks and unpacks the bundle that a manifest names into the runtime folder. Worker thread, for minutes.
    /// Throws InvalidArgument (the manifest), NotFound, CorruptData (another sha256, or an archive that is none; nothing of it is
    /// unpacked), NoSpace, InUse (another bangerd of this user fetches), Cancelled, Failed (not reached, broke off).
    virtual FetchOutcome fetch(const std::filesystem::path& manifest, const RuntimeProgress& progress) = 0;
    /// A bundle of what is here, as an archive that is the same for the same content, or as a folder. Worker thread, for minutes.
    /// Throws NotFound, CorruptData (an ingredient isn't what it shall be), NoSpace, InUse, Cancelled, Failed.
    virtual PackedBundle package(const BundleRecipe& recipe, const RuntimeProgress& progress) = 0;

    /// Drafts of artifacts from a bundle's parts, whole or not at all: shared with the bundle where the file system can, else copied, and
    /// each read once against its digest. Worker thread. Throws CorruptData, NoSpace, Cancelled, Failed.
    virtual void make_image(const FoundBundle& bundle, const BundlePart& disk, const std::string& name,
                            const std::filesystem::path& draft, const std::stop_token& stop) = 0;
    virtual void make_kernel(const FoundBundle& bundle, const std::string& name, const std::filesystem::path& draft,
                             const std::stop_token& stop) = 0;
    /// The digest of the kernel that make_kernel() makes.
    virtual Digest kernel_digest(const FoundBundle& bundle) const = 0;
};

}  // namespace banger::agent
