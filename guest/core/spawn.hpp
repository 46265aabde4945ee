// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
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

/// A child on its way to its program. It may hang there: its folder, or one of its PATH, may be on a disk that answers no more.
struct Spawning {
    pid_t pid{-1};
    UniqueFd outcome;  ///< readable, or at its end, once finish_spawn() doesn't wait
};

struct SpawnResult {
    /// Interpreter: the program is there, what its first line (or its ELF header) names is not.
    enum class Step { Session, Directory, Account, Exec, Interpreter };
    pid_t pid{-1};  ///< a session and process group of its own; -1: see error
    int error{0};   ///< errno of `step`
    Step step{Step::Exec};
};

/// Throws Failed where there is no process.
Spawning begin_spawn(const SpawnPlan& plan);

/// Waits until the program runs, or doesn't.
SpawnResult finish_spawn(const Spawning& spawning);

/// Closes all but stdio and `keep` in a child: the channel's descriptor above all, which only one process may hold.
void close_others(std::vector<int> keep);

/// Raises this program's own limit of open files, as far as it may. Programs that it spawns keep the one it had.
void use_many_files() noexcept;

/// NAME=value lists laid over each other, the later one first in rank.
std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over);

}  // namespace banger::guest
