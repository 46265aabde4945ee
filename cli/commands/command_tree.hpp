// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace banger::cli {

/// The command that a line's words lead to, and the first word that leads nowhere.
struct Reached {
    const CLI::App* command;
    std::string stray;  ///< "": none
};
Reached reach(const CLI::App& root, const std::vector<std::string>& words);

/// How a user calls it: "banger vm run".
std::string path_of(const CLI::App& command);
/// Its subcommands, the hidden ones left out.
std::vector<std::string> subcommands_of(const CLI::App& command);
/// Its long options, as "--name".
std::vector<std::string> options_of(const CLI::App& command);

}  // namespace banger::cli
