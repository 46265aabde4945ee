// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `banger internal nat up` and `down`: the original program's, for scripts that call it. They switch the NAT of a VM of the user's own.
void add_internal_nat(Command internal, Context& context);

}  // namespace banger::cli
