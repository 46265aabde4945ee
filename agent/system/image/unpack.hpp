// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace banger::agent {

/// Unpacks gzip, xz, zstd or lz4 (legacy frames too), up to `limit` bytes, by libarchive. `name` is for errors. Nothing but
/// the packed stream may be there, and what is packed in it stays so. Throws CorruptData.
std::vector<std::uint8_t> unpack(std::span<const std::uint8_t> packed, std::size_t limit, const std::string& name);

/// A whole file, unpacked when it is packed. Throws NotFound, CorruptData (over the limit).
std::vector<std::uint8_t> read_file(const std::filesystem::path& file, std::size_t limit);

}  // namespace banger::agent
