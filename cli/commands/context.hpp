// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/parser.hpp"
#include "common/error.hpp"

#include <functional>
#include <string>
#include <vector>

namespace banger::cli {

/// What a command does with the words after `--`.
enum class Tail { Refused, Taken };

/// What an exit code means: an error's own class, or, for `run` and `exec`, 125 to tell it from the command's own codes.
enum class ExitRule { OwnCodes, CommandCodes };

/// What the command line asked for, between the parser and the command.
struct Context {
    std::vector<std::string> tail;  ///< bytes, never seen by the parser
    bool has_tail{false};
    std::function<int()> action;  ///< of the chosen command; gives the exit code
    std::string chosen;           ///< its path
    Tail tail_use{Tail::Refused};
    /// Set by a command once its arguments are known to be well-formed.
    ExitRule exit_rule{ExitRule::OwnCodes};
};

inline constexpr int exit_usage = 2;
inline constexpr int exit_not_running = 3;
inline constexpr int exit_host_lacks = 4;
inline constexpr int exit_own_failure = 125;

/// Adds a command; `action` runs when the whole line has been parsed.
Command add_command(Command parent, Context& context, const std::string& name, const std::string& description,
                    std::function<int()> action, Tail tail = Tail::Refused);

/// The sentence of an error and what may help, on standard error.
void report(const Error& error) noexcept;
int exit_code_of(const Error& error, ExitRule rule) noexcept;

/// A call's several names, each once, in order.
std::vector<std::string> unique_names(const std::vector<std::string>& names);

/// Remembers the first failure of a call with several names, and reports each.
class Failures {
public:
    void add(const Error& error);
    /// Of the first; 0 when there was none.
    int exit_code() const noexcept { return exit_code_; }

private:
    int exit_code_{0};
};

}  // namespace banger::cli
