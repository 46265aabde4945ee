// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_ssh_config(Command root, Context& context);

}  // namespace banger::cli
