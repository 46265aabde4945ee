// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "agent/ports/runtime_bundles.hpp"
#include "agent/system/runtime/bundle_home.hpp"

namespace banger::agent::test {

/// What a bundle of the tests is made of: files of a few bytes, and a root disk of 1 MiB with holes.
class BundleMaker {
public:
    explicit BundleMaker(std::filesystem::path folder);

    /// All parts with a `rootfs`.
    BundleRecipe recipe(const std::filesystem::path& output) const;
    /// The archive, at `output`.
    PackedBundle make(const std::filesystem::path& output) const;
    void write(const std::string& name, const std::string& content) const;
    const std::filesystem::path& folder() const noexcept { return folder_; }

private:
    std::filesystem::path folder_;
};

/// Nobody watches, nobody stops it.
RuntimeProgress no_progress();

std::string content_of(const std::filesystem::path& file);

}  // namespace banger::agent::test
