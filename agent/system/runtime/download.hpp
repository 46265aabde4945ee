// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "agent/system/runtime/http_transfer.hpp"

namespace banger::agent {

/// Fetches a URL into a new file, which is gone again after a failure. Proxies come from the environment, as for curl(1); redirects
/// lead to the same kinds of URL only (but never to files). Worker thread.
/// Throws Unavailable (not reached, not found, too slow), CorruptData (too large), NoSpace, Failed, Cancelled.
void download(const std::string& url, UrlSchemes schemes, const std::filesystem::path& file,
              const RuntimeProgress& progress, const DownloadLimits& limits = {});

}  // namespace banger::agent
