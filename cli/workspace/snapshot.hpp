// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/copy/archive.hpp"
#include "cli/workspace/base.hpp"
#include "cli/workspace/work_folder.hpp"

namespace banger::cli {

/// What of a work tree a VM gets.
struct SnapshotOptions {
    bool untracked{false};                ///< files, too, that git neither tracks nor ignores
    std::optional<std::string> from{};    ///< the files of this commit instead of the work tree's
    std::optional<std::string> branch{};  ///< what the guest's copy stands on; may not exist here
    bool may_exist{false};                ///< unless this
};

/// A work tree, ready to be sent. Nothing of it is changed; git's objects of what is sent are in its repository.
struct Snapshot {
    WorkTree tree;
    Base base;
    std::vector<FileList> lists;         ///< the files, and the guest's .git
    std::uint64_t bytes{0};              ///< of both
    std::vector<std::string> left_out;   ///< submodules
    std::unique_ptr<WorkFolder> folder;  ///< holds what the lists name
    std::string index;                   ///< what the files were like, for look_again(); "" for those of a commit
};

/// Throws what find_work_tree() does; InvalidArgument (no files, no such commit, a name that is none for a branch), AlreadyExists (the branch), Failed
/// (a file that can't be read).
Snapshot take_snapshot(const std::string& path, const SnapshotOptions& options);

/// Files that are no longer as they were when the snapshot was taken.
std::vector<std::string> changed_since(const Snapshot& snapshot);

/// The folder in a guest.
inline constexpr auto guest_repository = "/root/repo";

}  // namespace banger::cli
