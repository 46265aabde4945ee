// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "common/error.hpp"

struct archive;

namespace banger::guest {

/// "WHAT: Write failed: No space left on device": libarchive's own words (empty: none) and those of its errno.
std::string archive_complaint(const std::string& what, archive* handle);

/// The same as an Error: NoSpace, Failed.
[[nodiscard]] Error archive_failure(const std::string& what, archive* handle);

}  // namespace banger::guest
