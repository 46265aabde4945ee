// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

#include <string>

namespace banger::cli {

/// `image pull`.
void add_image_pull(Command image, Context& context);
/// `image cache prune`.
void add_image_cache(Command image, Context& context);

/// An image's origin as a table has room for it: of a digest 12 digits.
std::string brief_origin(const std::string& origin);
/// The source as bangerd takes it: files by absolute paths, as it has a working directory of its own.
std::string absolute_source(const std::string& source);

}  // namespace banger::cli
