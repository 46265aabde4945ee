// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "agent/system/runtime/program_record.hpp"

namespace banger::agent {

/// That a file's checksum held, and of which file that was said.
struct BundleStamp {
    Digest sha256;
    FileIdentity file;
};

/// What is known of one folder's bundle without reading it again.
struct BundleStamps {
    std::string origin{};                        ///< where it came from; empty: nobody knows
    std::optional<Digest> archive{};             ///< that it was unpacked from
    std::map<std::string, BundleStamp> files{};  ///< by name
};

/// `file`: the user's own, for the bundles of all folders; one of others can't be written to.
BundleStamps read_bundle_stamps(const std::filesystem::path& file, const std::filesystem::path& folder);
/// Throws NoSpace, Failed.
void write_bundle_stamps(const std::filesystem::path& file, const std::filesystem::path& folder,
                         const BundleStamps& stamps);

}  // namespace banger::agent
