// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"
#include "common/size.hpp"

namespace banger::agent {

struct DownloadLimits {
    std::chrono::seconds connect{20};  ///< until the server answers
    std::chrono::seconds stall{30};    ///< with less than 1 KiB a second; 0: no limit
    ByteSize size{256 * mib};
    long redirects{5};
};

/// Fetches a URL into a new file, which is gone again after a failure. Proxies come from the environment, as for curl(1); redirects
/// lead to the same kinds of URL only (but never to files). Worker thread.
/// Throws Unavailable (not reached, not found, too slow), CorruptData (too large), NoSpace, Failed, Cancelled.
void download(const std::string& url, UrlSchemes schemes, const std::filesystem::path& file,
              const RuntimeProgress& progress, const DownloadLimits& limits = {});

}  // namespace banger::agent
