// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_daemon_commands(CLI::App& daemon, Context& context);
/// doctor and version.
void add_host_commands(CLI::App& root, Context& context);

}  // namespace banger::cli
