// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// build, register, promote and verify.
void add_image_making(Command image, Context& context);

}  // namespace banger::cli
