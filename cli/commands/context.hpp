// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/parser.hpp"
#include "cli/remote/ssh_host.hpp"
#include "common/error.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli {

/// What a command does with the words after `--`. Paths: for them they are more of its paths, as `vm cp` names them.
enum class Tail { Refused, Taken, Paths };

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

    std::string host_text;           ///< of -H, for the help alone: split_host() takes it off the line
    std::optional<SshHost> host;     ///< where the line is to run; nullopt: here
    std::vector<std::string> paths;  ///< files that the line names, as it names them
    /// What commands do with -H that read or write a file of this host all the same, by their paths. All others go there as they are.
    std::map<std::string, std::function<int(const SshHost&)>> there;
};

inline constexpr int exit_usage = 2;
inline constexpr int exit_not_running = 3;
inline constexpr int exit_host_lacks = 4;
inline constexpr int exit_own_failure = 125;

/// Adds a command; `action` runs when the whole line has been parsed.
Command add_command(Command parent, Context& context, const std::string& name, const std::string& description,
                    std::function<int()> action, Tail tail = Tail::Refused);

/// Marks a word or an option that names a file, which with -H is another host's.
void note_paths(Context& context, Parameter parameter);
/// The same of one that may name something else: what has a slash in it is a file.
void note_paths_with_slash(Context& context, Parameter parameter);

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
