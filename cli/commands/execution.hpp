// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/parser.hpp"
#include "cli/connect/agent.hpp"
#include "cli/relay/relay.hpp"

#include <csignal>
#include <initializer_list>
#include <string>
#include <vector>

namespace banger::cli {

/// How a command runs in a guest; what `vm run` and `vm exec` have in common.
struct ExecutionOptions {
    std::vector<std::string> environment;
    std::string folder;
    std::string user;
    bool terminal{false};
    bool no_terminal{false};
    /// Set by `vm run`: words are arguments of the image's entrypoint, and without any its own command runs.
    bool as_image_says{false};

    void add_to(Command command);
};

enum class Attach { Here, Nowhere };

/// Runs `words` in the VM with this program's standard streams, or, with Attach::Nowhere, leaves it running there.
/// Empty `words`: a login shell; with Attach::Nowhere and `as_image_says` nothing, which is NotFound where the image has no command either. Environment,
/// user and folder of the image hold beneath the options. Throws what bangerd says.
CommandEnd execute(VmProxy& vm, const std::vector<std::string>& words, const ExecutionOptions& options, Attach attach,
                   SignalInbox* signals);

/// Runs `words` as root for banger's own ends: nothing of the user's streams goes there or comes back.
CommandEnd execute_silently(VmProxy& vm, const std::vector<std::string>& words);

/// The signals that a command in a guest gets.
inline constexpr std::initializer_list<int> command_signals{SIGINT,  SIGTERM, SIGHUP,   SIGQUIT,
                                                            SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

}  // namespace banger::cli
