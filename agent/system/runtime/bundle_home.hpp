// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime_bundles.hpp"
#include "agent/system/runtime/bundle_stamps.hpp"

namespace banger::agent {

/// Where a bundle may be. All are asked by each call, on any thread.
struct BundlePlaces {
    std::function<std::filesystem::path()> own;                 ///< the runtime folder, where fetches go
    std::function<std::vector<std::filesystem::path>()> given;  ///< of who installed banger; only read
    std::filesystem::path stamps;                               ///< a file of the user's: what was read and found right
};

/// The bundle in its folder. Files are read once, and then known by size, time and inode. Any thread, but for fetch() and package(), of
/// which one of each runs at a time.
class BundleHome final : public RuntimeBundles {
public:
    explicit BundleHome(BundlePlaces places) : places_{std::move(places)} {}

    std::vector<std::filesystem::path> places() const override;
    std::optional<FoundBundle> find() const override;
    std::optional<std::filesystem::path> image_base(const std::stop_token& stop) const override;
    void recover() override;
    FetchOutcome fetch(const std::filesystem::path& manifest, const RuntimeProgress& progress) override;
    PackedBundle package(const BundleRecipe& recipe, const RuntimeProgress& progress) override;
    void make_image(const FoundBundle& bundle, const BundlePart& disk, const std::string& name,
                    const std::filesystem::path& draft, const std::stop_token& stop) override;
    void make_kernel(const FoundBundle& bundle, const std::string& name, const std::filesystem::path& draft,
                     const std::stop_token& stop) override;
    Digest kernel_digest(const FoundBundle& bundle) const override;

    /// As fetch(), of a manifest that was read already. Precondition: it names an archive.
    FetchOutcome fetch(const BundleSource& source, const RuntimeProgress& progress);
    /// All parts of the bundle that is found, looked at without reading them. Empty: there is none.
    std::vector<RuntimeProgram> list() const;
    /// The same, but every byte is read.
    std::vector<RuntimeProgram> verify(const std::stop_token& stop) const;
    /// A part's file, read when it never was. nullopt: no bundle, or it has no such part.
    /// Throws HostLacks (missing or not what it shall be, with what mends it), and as find().
    std::optional<std::filesystem::path> file_of(std::string_view part, const std::stop_token& stop) const;

private:
    RuntimeProgram look_at(const FoundBundle& bundle, const BundleStamps& stamps, const BundlePart& part) const;
    void read_again(const FoundBundle& bundle, const BundlePart& part, RuntimeProgram& row,
                    const std::stop_token& stop) const;
    void remember(const std::filesystem::path& folder, const std::function<void(BundleStamps&)>& change) const;
    FetchOutcome bring(const BundleSource& source, const std::filesystem::path& folder,
                       const std::filesystem::path& scratch, const RuntimeProgress& progress) const;
    bool is_there(const std::filesystem::path& folder, const BundleSource& source) const;

    BundlePlaces places_;
    mutable std::mutex stamping_;  ///< one change of the stamps at a time
};

}  // namespace banger::agent
