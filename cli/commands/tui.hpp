// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `banger tui`.
void add_tui(Command root, Context& context);
/// `banger internal wake`: what `banger tui` finds a bangerd by that has gone.
void add_internal_wake(Command internal, Context& context);

}  // namespace banger::cli
