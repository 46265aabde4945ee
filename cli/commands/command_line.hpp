// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

#include <span>

namespace banger::cli {

/// All of banger's commands. `context` must outlive it.
Parser make_command_line(Context& context);

/// Splits at the first `--`, parses, and runs what was asked for; gives the exit code. Throws what commands throw.
int run_command_line(Context& context, std::span<char*> words);

}  // namespace banger::cli
