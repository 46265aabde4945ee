// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_image_commands(Command image, Context& context);
void add_kernel_commands(Command kernel, Context& context);

}  // namespace banger::cli
