// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// pull and import.
void add_kernel_making(Command kernel, Context& context);

}  // namespace banger::cli
