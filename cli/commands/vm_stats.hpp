// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `banger vm stats`.
void add_vm_stats(Command vm, Context& context);

}  // namespace banger::cli
