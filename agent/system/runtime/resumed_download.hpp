// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "agent/system/runtime/http_transfer.hpp"
#include "common/ids.hpp"

namespace banger::agent {

/// Compressed; a bundle has some hundred megabytes.
inline constexpr DownloadLimits bundle_download_limits{.size = 16 * gib};

/// Fetches an archive whose sha256 is known into `folder`, which is for such archives alone, and gives its file. What broke off stays there
/// and is gone on with, now a few times and by the next call: by a range that the server shall give only of the same file. Archives with
/// another sha256 are removed. http and https. Worker thread.
/// Throws Unavailable (not reached, broke off, too slow; the part stays), CorruptData (another sha256, too large), NoSpace (the part is
/// gone), Cancelled (it stays), Failed.
std::filesystem::path resumed_download(const std::string& url, const Digest& sha256,
                                       const std::filesystem::path& folder, const RuntimeProgress& progress,
                                       const DownloadLimits& limits = bundle_download_limits);

}  // namespace banger::agent
