// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `internal window`: runs another banger in a terminal that closes with it, and lets one that fails at once be read.
void add_internal_window(Command internal, Context& context);

}  // namespace banger::cli
