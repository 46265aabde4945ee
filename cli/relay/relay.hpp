// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/relay/pump.hpp"
#include "cli/relay/terminal.hpp"
#include "cli/signals.hpp"

#include <chrono>
#include <optional>

namespace banger::cli {

/// The four descriptors of a command in a guest, as Vm.Exec gives them.
struct CommandStreams {
    UniqueFd input;
    UniqueFd output;
    UniqueFd error;
    UniqueFd control;
};

/// The user's side; descriptors stay the caller's.
struct UserStreams {
    int input;
    int output;
    int error;
};

enum class TerminalMode { None, Raw };

/// How a command ended, as a shell sees it.
struct CommandEnd {
    int exit_code{0};
    std::optional<int> killed_by;  ///< banger itself should end by this signal: its reader is gone
};

/// From a SIGTERM or SIGHUP to the end of a command on a terminal.
inline constexpr std::chrono::milliseconds default_farewell{10'000};

/// Joins a command to the user's streams until it has ended and all its output is written. Signals go to the command; three SIGINTs in a row,
/// each within two seconds of the one before, hang it up. On a terminal, where Ctrl-C is a key for the guest, a second SIGTERM or SIGHUP does,
/// and a first one that has brought no end within `farewell`.
/// Throws the command's error, Unavailable when bangerd or the guest goes away, NoSpace or Failed when output can't be written.
CommandEnd relay(CommandStreams command, const UserStreams& user, TerminalMode mode, SignalInbox& signals,
                 std::chrono::milliseconds farewell = default_farewell);

}  // namespace banger::cli
