// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "cli/copy/archive.hpp"
#include "cli/workspace/work_tree.hpp"

namespace banger::cli {

/// The .git folder that a guest gets: one commit without its history, and whose it is. Made on the host, so that the guest needs no git for
/// it, and none of the user's own .git goes over but that commit's objects.
class GuestGit {
public:
    /// `git`: the repository with what the commit needs. `folder` is made; `prefix` as in FileList.
    GuestGit(const Git& git, const WorkTree& tree, const std::filesystem::path& folder, std::string prefix);

    /// Its files. `branch` is checked out at `commit`.
    FileList make(const std::string& commit, const std::string& branch);

private:
    void write(const std::string& name, const std::string& text);
    void write_objects(const std::string& commit);
    void write_settings();

    const Git* git_;
    const WorkTree* tree_;
    FileList list_;
};

/// Settings that say how files become objects; those who read the same files have to agree on them.
std::vector<std::pair<std::string, std::string>> conversion_settings(const Git& git);

}  // namespace banger::cli
