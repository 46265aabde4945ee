// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

#include "cli/workspace/work_tree.hpp"

namespace banger::cli {

/// What a workspace started from, as a commit in the host's repository. Its tree is what was copied in; its parent has what the work tree
/// held besides (submodules, what a sparse checkout leaves out), or is the work tree's own commit where both are the same.
struct Base {
    std::string commit;
    std::string branch;  ///< that prepare was asked for; "" for none
    std::map<std::string, std::string>
        filtered;  ///< files that a filter (LFS) stands before: path, and the id of its bytes as they were sent
};

/// The commit's message, and the way back. What isn't understood is left out.
std::string base_message(const Base& base);
Base parse_base(const std::string& commit, std::string_view message);

/// Keeps the base from being collected: refs/banger/ID, where ID is the VM's.
void keep_base(const WorkTree& tree, const std::string& vm_id, const std::string& commit);
/// Throws NotFound where this repository was never copied into that VM; `vm_name` is for the sentence.
Base find_base(const WorkTree& tree, const std::string& vm_id, const std::string& vm_name);
/// Those that are older than a month and of none of these VMs.
void drop_old_bases(const WorkTree& tree, const std::set<std::string>& vm_ids);
/// Of a VM that is gone. Never throws: nothing depends on it.
void drop_base(const WorkTree& tree, const std::string& vm_id) noexcept;

}  // namespace banger::cli
