// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/copy/archive.hpp"
#include "cli/workspace/base.hpp"
#include "cli/workspace/work_folder.hpp"

namespace banger::cli {

/// Of the files that come from a guest, the ones that are looked at: no repository of the guest's is ever on this host. Remarks on those inside
/// the tree; the guest's own .git goes without a word.
Inspection guest_files();

/// What became of a workspace in a guest, compared by git in a repository of its own that nobody's settings, hooks and filters reach.
/// The user's repository lends it objects and is not written to, but by make_branch().
class Changes {
public:
    /// `files`: what the guest sent, unpacked as guest_files() says. `folder` takes the repository. Throws CorruptData (no folder), Failed in git's words.
    Changes(const WorkTree& tree, Base base, const std::string& files, const WorkFolder& folder);

    bool none() const noexcept { return tree_id_ == base_tree_; }
    /// Changed files that a filter such as LFS stands before: they come as the guest has them.
    const std::vector<std::string>& unfiltered() const noexcept { return unfiltered_; }
    /// Writes `git diff --binary`, for git apply.
    void write_patch(int fd) const;
    /// Makes a branch of the user's repository with one commit on top of where the workspace started. The work tree and the index stay as they are.
    /// Gives the commit. Throws AlreadyExists, WrongState (it is checked out), Failed.
    std::string make_branch(const std::string& name, const std::string& message, bool force) const;

private:
    void make_repository();
    void add_files();
    void put_filtered_back();
    std::string whole_tree() const;
    void send_objects(const std::string& tree, const std::string& parent) const;

    const WorkTree* tree_;
    Base base_;
    std::string git_dir_;
    Git git_;
    std::string base_tree_;
    std::string tree_id_;
    std::vector<std::string> unfiltered_;
};

/// Throws as Changes::make_branch() would, before there is something to make it of.
void check_new_branch(const WorkTree& tree, const std::string& name, bool force);

}  // namespace banger::cli
