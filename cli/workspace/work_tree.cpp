// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/work_tree.hpp"

#include "cli/copy/transfer.hpp"
#include "common/error.hpp"

namespace banger::cli {
namespace {

void check_folder(const std::string& path)
{
    const auto kind = kind_on_host(path);
    if (kind.followed == TargetKind::Absent) {
        throw Error{ErrorCode::NotFound, "there is no folder " + path + "; a command for the guest goes behind --"};
    }
    if (kind.followed != TargetKind::Folder) {
        throw Error{ErrorCode::InvalidArgument, path + " is no folder, so no git work tree; banger vm cp copies files"};
    }
}

/// Throws with git's own words, which name the mending command where the folder is another user's (safe.directory).
void check_repository(const Git& git, const std::string& path)
{
    const auto answer = git.try_run({"rev-parse", "--is-bare-repository", "--is-inside-work-tree"});
    if (!answer.ok()) {
        throw Error{ErrorCode::InvalidArgument, path + " is no git work tree (" + answer.complaint() +
                                                    "); banger vm cp copies any folder into a VM"};
    }
    if (answer.output.starts_with("true")) {
        throw Error{ErrorCode::InvalidArgument,
                    path + " is a bare repository, which has no work tree; make one: git worktree add"};
    }
    if (answer.value() != "false\ntrue") {
        throw Error{ErrorCode::InvalidArgument, path + " is inside a .git folder; give the work tree"};
    }
}

/// A repository that somebody else made may say that its work tree is any folder of this user's (core.worktree): only one that has it as its own is meant.
void check_root(const WorkTree& tree, const std::string& path)
{
    if (Git{tree.root}.try_run({"rev-parse", "--absolute-git-dir"}).value() != tree.git_dir) {
        throw Error{ErrorCode::InvalidArgument, "core.worktree of " + path + " leads to " + tree.root +
                                                    ", which is not its own; mend it: git -C " + path +
                                                    " config --unset core.worktree"};
    }
}

}  // namespace

std::string WorkTree::path_of(const std::string& name) const
{
    return git().run({"rev-parse", "--path-format=absolute", "--git-path", name}).value();
}

WorkTree find_work_tree(const std::string& path)
{
    check_folder(path);
    const Git there{path};
    check_repository(there, path);
    WorkTree tree;
    tree.root = there.run({"rev-parse", "--show-toplevel"}).value();
    tree.git_dir = there.run({"rev-parse", "--absolute-git-dir"}).value();
    check_root(tree, path);
    tree.hash = there.run({"rev-parse", "--show-object-format"}).value();
    tree.head = there.try_run({"rev-parse", "-q", "--verify", "HEAD^{commit}"}).value();
    tree.branch = there.try_run({"symbolic-ref", "-q", "--short", "HEAD"}).value();
    return tree;
}

}  // namespace banger::cli
