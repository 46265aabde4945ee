// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::guest {

/// Copies what is below `folder` to below `to`, with owners, modes, times, xattrs, ACLs, links and holes; then gives `to`
/// the owner and mode of `folder`. Stays on one file system. Throws NoSpace, Failed.
void copy_tree(const std::string& folder, const std::string& to);

/// At the work disk's first mount, fills it (mounted at `disk`) with the image's own /root. A power cut at any time leaves a
/// disk that the next call fills from the start; a disk with files of somebody else's is left as it is. Throws NoSpace, Failed.
void fill_work_disk(const std::string& disk, const std::string& image_root);

}  // namespace banger::guest
