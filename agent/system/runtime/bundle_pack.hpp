// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/ports/runtime_bundles.hpp"
#include "agent/system/runtime/disk_scan.hpp"

namespace banger::agent {

/// One file of a bundle in the making.
struct PackedPart {
    BundlePart part;
    std::filesystem::path file;  ///< empty: `text` is the content
    std::string text;
    std::vector<DataRange> data;  ///< of the file
};

/// Reads each ingredient, and compares it with the digest that it shall have. Sorted by file name. Throws as RuntimeBundles::package().
std::vector<PackedPart> measure_ingredients(const BundleRecipe& recipe, const RuntimeProgress& progress);

BundleContents contents_of(const std::string& version, const std::vector<PackedPart>& parts);

/// Writes the parts and bundle.json as a tar.gz that is the same, bit by bit, for the same parts and the same libarchive and zlib: sorted
/// names, one time, owner 0:0, modes by kind, holes as GNU tar's sparse format 1.0 has them. Gives its sha256. Worker thread.
/// Throws NoSpace, Failed, Cancelled.
Digest write_bundle_archive(int output, const std::vector<PackedPart>& parts, const std::string& description,
                            std::int64_t modified, const RuntimeProgress& progress);

}  // namespace banger::agent
