// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/workspace/git.hpp"

namespace banger::cli {

/// A git work tree of this host.
struct WorkTree {
    std::string root;     ///< its top folder, absolute
    std::string git_dir;  ///< absolute; of a linked work tree its own one
    std::string head;     ///< the commit; "" before the first one
    std::string branch;   ///< "" where none is checked out
    std::string hash;     ///< sha1 or sha256

    Git git() const { return Git{root}; }
    /// A file or folder of the repository, absolute.
    std::string path_of(const std::string& name) const;
};

/// The work tree that `path` is in. Throws NotFound, InvalidArgument (no work tree, a bare repository, one that git does not trust), HostLacks.
WorkTree find_work_tree(const std::string& path);

}  // namespace banger::cli
