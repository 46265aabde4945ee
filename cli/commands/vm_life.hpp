// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// start, stop, restart, set, kill, delete, prune.
void add_vm_life(Command vm, Context& context);

}  // namespace banger::cli
