// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <stop_token>
#include <vector>

#include "agent/system/runtime/disk_scan.hpp"
#include "common/ids.hpp"

namespace banger::agent {

/// The digest that addresses a disk: sha256 over the size (8 bytes, little endian) and then, for each 64 KiB block that is not all
/// zeros, its index (8 bytes, little endian) and content (the last block filled up with zeros). So it does not depend on where the
/// holes are, and a sparse 16 GiB disk takes the time of its data. Throws NotFound, Failed, Cancelled.
Digest content_digest(const std::filesystem::path& file, const std::stop_token& stop);

/// What content_digest() saw on its way.
struct ContentScan {
    std::uint64_t size;           ///< of a device, too
    std::vector<DataRange> data;  ///< what isn't all zeros, in blocks of 64 KiB
    Digest digest;
};
/// Reads what isn't a hole, once. Throws as content_digest().
ContentScan scan_content(const std::filesystem::path& file, const std::stop_token& stop);

/// One digest over several, in order.
Digest combined_digest(const std::initializer_list<Digest>& parts);

}  // namespace banger::agent
