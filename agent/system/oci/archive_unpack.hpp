// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/ports/image_puller.hpp"
#include "agent/system/oci/layer_check.hpp"

namespace banger::agent {

/// Unpacks an OCI archive, the tar of an image layout with gzip around it or not, into a folder that isn't there yet. Of it come the plain files
/// oci-layout, index.json and blobs/sha256/HEX; what has another name is passed over, and nothing but those is made, whatever the archive says.
/// skopeo unpacks one through the links that are in it, to anywhere. The caller removes what is there after a failure. Worker thread.
/// Throws CorruptData (damaged, a link or a device, a file twice, no index.json, more than the bounds or the ratio of layers; "it" is the archive),
/// NotFound, NoSpace, Cancelled, Failed.
void unpack_oci_archive(const std::filesystem::path& file, const std::filesystem::path& folder,
                        const LayerBounds& bounds, const PullProgress& progress);

}  // namespace banger::agent
