// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/command_tree.hpp"

#include <algorithm>

namespace banger::cli {
namespace {

/// A subcommand by name or alias.
const CLI::App* find_command(const CLI::App& parent, const std::string& word)
{
    for (const auto* sub : parent.get_subcommands({})) {
        const auto& aliases = sub->get_aliases();
        if (sub->get_name() == word || std::find(aliases.begin(), aliases.end(), word) != aliases.end()) {
            return sub;
        }
    }
    return nullptr;
}

}  // namespace

Reached reach(const CLI::App& root, const std::vector<std::string>& words)
{
    Reached reached{&root, ""};
    for (const auto& word : words) {
        if (reached.command->get_subcommands({}).empty()) {
            break;
        }
        if (word.starts_with('-')) {
            continue;
        }
        const auto* next = find_command(*reached.command, word);
        if (next == nullptr) {
            reached.stray = word;
            break;
        }
        reached.command = next;
    }
    return reached;
}

std::string path_of(const CLI::App& command)
{
    const auto* parent = command.get_parent();
    return parent == nullptr ? "banger" : path_of(*parent) + " " + command.get_name();
}

std::vector<std::string> subcommands_of(const CLI::App& command)
{
    std::vector<std::string> names;
    for (const auto* sub : command.get_subcommands({})) {
        if (!sub->get_group().empty()) {
            names.push_back(sub->get_name());
        }
    }
    return names;
}

std::vector<std::string> options_of(const CLI::App& command)
{
    std::vector<std::string> names;
    for (const auto* option : command.get_options()) {
        for (const auto& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

}  // namespace banger::cli
