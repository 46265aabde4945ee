// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_daemon_commands(Command daemon, Context& context);
/// doctor and version.
void add_host_commands(Command root, Context& context);

}  // namespace banger::cli
