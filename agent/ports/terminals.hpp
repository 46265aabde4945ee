// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "agent/core/task.hpp"

namespace banger::agent {

/// A program to run in a window.
struct TerminalCommand {
    std::vector<std::string> argv;  ///< argv[0] is an absolute path
    std::string title;              ///< for those who list processes; a terminal has its own
};

/// The user's own terminal program. Loop thread.
class Terminals {
public:
    Terminals() = default;
    Terminals(const Terminals&) = delete;
    Terminals& operator=(const Terminals&) = delete;
    virtual ~Terminals() = default;

    /// Comes back when the terminal has been started; it outlives bangerd. Throws HostLacks (there is none; says the command that brings
    /// one), Failed.
    virtual Task<void> open(TerminalCommand command) = 0;
};

}  // namespace banger::agent
