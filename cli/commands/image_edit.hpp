// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// edit: a shell in a temporary VM of an image, then an image of what it has become, or nothing.
void add_image_edit(Command image, Context& context);

}  // namespace banger::cli
