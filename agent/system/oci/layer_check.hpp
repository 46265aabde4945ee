// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/core/image/oci_manifest.hpp"

namespace banger::agent {

/// A tar stream that is to be looked through before anything unpacks it.
struct LayerFile {
    std::filesystem::path file;
    OciDescriptor blob;
};

/// What all streams together may come to when they are unpacked.
struct LayerBounds {
    std::uint64_t bytes;
    std::uint64_t entries;
};

/// Bytes that may come out of one byte of a stream, beyond the first 64 MiB.
inline constexpr std::uint64_t greatest_layer_ratio = 200;

struct LayerVerdict {
    std::uint64_t bytes{0};  ///< of all files, each with its holes, or of the tar streams where those are longer
    std::uint64_t entries{0};
    /// The digest of a blob whose bytes aren't those of its digest, or not as many as its manifest says; empty: none. The rest then says nothing.
    std::string wrong_blob{};
};

/// Reads each stream to its end, also behind the archive in it, and each blob's sha256 with it, keeping nothing.
/// Throws CorruptData, which names the layer, for more than the
/// bounds allow, more than 200 bytes out of one (beyond 64 MiB), names with `..` or longer than 4096 bytes, whiteouts of no file or of the folder that
/// they are in, and what is no whole tar stream; Cancelled, NotFound, Failed. `stop` is looked at with each block.
LayerVerdict check_layers(const std::vector<LayerFile>& layers, const LayerBounds& bounds, const std::stop_token& stop);

}  // namespace banger::agent
