// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/agent.hpp"
#include "cli/signals.hpp"
#include "cli/tui/child.hpp"
#include "cli/tui/model.hpp"
#include "cli/tui/screen.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace banger::cli::tui {

/// What lasts from the first screen to the last, over as many bangerds and event loops as it takes.
struct Session {
    SignalInbox signals;  ///< first, so that ncurses' own handlers never run
    Screen screen;
    Charset charset;
    Model model{};
    int exit_code{0};

    /// A shell that has the terminal; none: we have it.
    std::unique_ptr<Child> shell{};
    std::chrono::steady_clock::time_point shell_began{};
    std::string shell_task{};     ///< what it is there to do; "": it is the user's own
    bool waits_for_enter{false};  ///< the terminal is still as the shell left it, for its words to be read

    Session(Screen::Colours colours, Screen::Mouse mouse, Charset charset);
};

/// Runs until the user quits or a signal ends it; gives the exit code. `agent`: a first connection.
int run_session(Session& session, std::unique_ptr<Agent> agent);

}  // namespace banger::cli::tui
