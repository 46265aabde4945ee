// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <vector>

#include "common/ids.hpp"

namespace banger::agent {

/// A stretch of a file that isn't all zeros, in bytes.
struct DataRange {
    std::uint64_t begin;
    std::uint64_t size;
};

/// A file that may have holes, as it is put into an archive.
struct DiskScan {
    std::uint64_t size;
    std::vector<DataRange>
        data;       ///< in blocks of 64 KiB, so that they don't depend on how the file system keeps the file
    Digest sha256;  ///< of all bytes, zeros of holes, too
};

/// Reads what isn't a hole, once. Throws NotFound, Failed, Cancelled.
DiskScan scan_disk(const std::filesystem::path& file, const std::stop_token& stop);

}  // namespace banger::agent
