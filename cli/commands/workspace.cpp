// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/workspace.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>

#include "cli/copy/transfer.hpp"
#include "cli/view/meter.hpp"
#include "cli/view/output.hpp"

namespace banger::cli {
namespace {

constexpr std::size_t names_told = 5;

/// "a, b and 7 more"
std::string few_of(const std::vector<std::string>& names)
{
    std::string text;
    for (std::size_t at = 0; at < std::min(names.size(), names_told); ++at) {
        text += (at == 0 ? "" : ", ") + names[at];
    }
    return names.size() > names_told ? text + " and " + std::to_string(names.size() - names_told) + " more" : text;
}

std::set<std::string> vm_ids(Agent& agent)
{
    std::set<std::string> ids;
    for (const auto& row : translated([&] { return agent.manager().ListVms({}); })) {
        ids.insert(row.template get<0>());
    }
    return ids;
}

}  // namespace

void WorkspaceOptions::add_to(Command command)
{
    const auto all = command.flag("--include-untracked", untracked, "also files that git neither tracks nor ignores");
    command.option("--branch", branch, "the copy stands on a new branch of this name").value_name("NAME");
    command.option("--from", from, "the files of this commit or branch, not the work tree's")
        .value_name("REF")
        .excludes(all);
}

Snapshot WorkspaceOptions::take(const std::string& path, bool force, bool quiet) const
{
    const auto progress =
        make_progress(quiet || !is_terminal(STDERR_FILENO) ? ProgressForm::Silent : ProgressForm::Automatic);
    constexpr double unknown = -1;
    progress->at_stage(path, "read by git", unknown);
    auto snapshot = take_snapshot(path, {.untracked = untracked, .from = from, .branch = branch, .may_exist = force});
    progress->pause();
    if (!snapshot.left_out.empty()) {
        remark("left out: the files of submodules (" + few_of(snapshot.left_out) +
               "); banger vm cp brings them over one by one");
    }
    return snapshot;
}

std::optional<int> send_snapshot(Agent& agent, VmProxy& vm, const std::string& vm_id, const Snapshot& snapshot,
                                 bool quiet, SignalInbox* signals)
{
    Meter meter{snapshot.tree.root, quiet, snapshot.bytes};
    const auto signal = copy_lists_in(
        vm, "/root", snapshot.lists, [&meter](std::size_t bytes) { meter.pass(bytes); }, signals);
    if (signal) {
        return signal;
    }
    keep_base(snapshot.tree, vm_id, snapshot.base.commit);
    drop_old_bases(snapshot.tree, vm_ids(agent));
    if (const auto changed = changed_since(snapshot); !changed.empty()) {
        remark("changed while it was copied: " + few_of(changed) +
               "; the VM may have a mix of both, and an export will show it");
    }
    return std::nullopt;
}

}  // namespace banger::cli
