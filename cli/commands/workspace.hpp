// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "cli/commands/parser.hpp"
#include "cli/connect/agent.hpp"
#include "cli/signals.hpp"
#include "cli/workspace/snapshot.hpp"

namespace banger::cli {

/// What `vm run PATH` and `vm workspace prepare` have in common.
struct WorkspaceOptions {
    bool untracked{false};
    std::optional<std::string> branch{};
    std::optional<std::string> from{};

    void add_to(Command command);
    bool any() const noexcept { return untracked || branch || from; }
    /// Says on standard error what stays behind. Throws as take_snapshot().
    Snapshot take(const std::string& path, bool force, bool quiet) const;
};

/// Puts a snapshot into a VM where there is none yet, and keeps its base for the export. `signals` and the result as copy_lists_in().
std::optional<int> send_snapshot(Agent& agent, VmProxy& vm, const std::string& vm_id, const Snapshot& snapshot,
                                 bool quiet, SignalInbox* signals);

}  // namespace banger::cli
