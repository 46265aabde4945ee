// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/context.hpp"

#include "cli/view/output.hpp"

#include <algorithm>

namespace banger::cli {

Command add_command(Command parent, Context& context, const std::string& name, const std::string& description,
                    std::function<int()> action, Tail tail)
{
    const auto command = parent.subcommand(name, description);
    command.on_chosen([&context, command, tail, action = std::move(action)] {
        context.action = action;
        context.chosen = command.path();
        context.tail_use = tail;
    });
    return command;
}

void note_paths(Context& context, Parameter parameter)
{
    parameter.each([&context](const std::string& path) { context.paths.push_back(path); });
}

void note_paths_with_slash(Context& context, Parameter parameter)
{
    parameter.each([&context](const std::string& word) {
        if (word.find('/') != std::string::npos) {
            context.paths.push_back(word);
        }
    });
}

void report(const Error& error) noexcept
{
    complain(error.what());
    if (const auto hint = error_info(error.code()).hint; !hint.empty()) {
        remark(hint);
    }
}

int exit_code_of(const Error& error, ExitRule rule) noexcept
{
    const bool of_the_command = error.code() == ErrorCode::NotRunnable || error.code() == ErrorCode::CommandNotFound;
    return rule == ExitRule::OwnCodes || of_the_command ? error_info(error.code()).exit_code : exit_own_failure;
}

std::vector<std::string> unique_names(const std::vector<std::string>& names)
{
    std::vector<std::string> unique;
    for (const auto& name : names) {
        if (std::find(unique.begin(), unique.end(), name) == unique.end()) {
            unique.push_back(name);
        }
    }
    return unique;
}

void Failures::add(const Error& error)
{
    report(error);
    if (exit_code_ == 0) {
        exit_code_ = error_info(error.code()).exit_code;
    }
}

}  // namespace banger::cli
