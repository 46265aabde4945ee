// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "guest/core/accounts.hpp"

namespace banger::guest {

/// All that is settled before a process is made.
struct SpawnPlan {
    std::vector<std::string> argv;         ///< not empty
    std::vector<std::string> environment;  ///< "NAME=value"
    std::string directory;
    bool directory_asked{false};  ///< else / stands in for one that is not there
    Account account;
    std::array<int, 3> fds{-1, -1, -1};  ///< become 0, 1, 2; each above 2
    bool terminal{false};                ///< fds[0] becomes the controlling terminal
    bool ends_with_parent{false};        ///< SIGHUP when this program ends
};

struct SpawnResult {
    /// Interpreter: the program is there, what its first line (or its ELF header) names is not.
    enum class Step { Session, Directory, Account, Exec, Interpreter };
    pid_t pid{-1};  ///< a session and process group of its own; -1: see error
    int error{0};   ///< errno of `step`
    Step step{Step::Exec};
};

/// Starts the program, and knows whether that worked: the child is a vfork, which runs before its parent goes on.
SpawnResult spawn(const SpawnPlan& plan);

/// Raises this program's own limit of open files, as far as it may. Programs that it spawns keep the one it had.
void use_many_files() noexcept;

/// NAME=value lists laid over each other, the later one first in rank.
std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over);

}  // namespace banger::guest
