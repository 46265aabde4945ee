// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

#include <memory>
#include <span>
#include <string>

namespace banger::cli {

/// All of banger's commands. `context` must outlive it.
std::unique_ptr<CLI::App> make_command_line(Context& context);

/// Splits at the first `--`, parses, and runs what was asked for; gives the exit code. Throws what commands throw.
int run_command_line(Context& context, std::span<char*> words);

/// "unknown command "lst"; did you mean list?" for a line that the parser refused.
std::string explain_refusal(const CLI::App& root, const std::vector<std::string>& words,
                            const CLI::ParseError& refusal);

}  // namespace banger::cli
