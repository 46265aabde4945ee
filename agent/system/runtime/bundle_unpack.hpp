// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

#include "agent/core/runtime/bundle_contents.hpp"
#include "agent/system/runtime/packed_stream.hpp"

namespace banger::agent {

/// Unpacks a bundle's archive, a tar.gz of plain files, into an empty folder. Nothing else than files of good names is made, whatever the
/// archive says, and zeros become holes. The caller removes what is there after a failure. Worker thread.
/// Throws CorruptData (its sha256 isn't this one, damaged, a bomb, a name that leads elsewhere, a link, a device; "it" is the archive),
/// NoSpace, Cancelled, Failed.
void unpack_bundle(int archive, const Digest& sha256, const std::filesystem::path& folder,
                   const RuntimeProgress& progress, const UnpackLimits& limits = {});

/// What FOLDER/bundle.json says, which is that folder's whole content. Throws CorruptData (half a bundle, files too many, other sizes).
BundleContents check_bundle_files(const std::filesystem::path& folder);

/// Reads a part and compares. Empty: it is what it shall be; else the end of a sentence about the file. Throws Failed, Cancelled.
std::string mismatch_of(const std::filesystem::path& file, const BundlePart& part, const std::stop_token& stop);

}  // namespace banger::agent
