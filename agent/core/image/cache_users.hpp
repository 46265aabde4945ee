// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/ids.hpp"

namespace banger::agent {

/// Which images and kernels of a cache the VMs of each state folder use: several may share a cache (with another $XDG_STATE_HOME), and each
/// bangerd knows its own VMs alone. A file a state folder, FOLDER/OWNER.json, that says where that is and what its VMs use.
class CacheUsers {
public:
    /// `owner`: as of sandbox_owner_of(); empty: it could not be had, and nothing is written. `state`: its folder.
    CacheUsers(std::filesystem::path folder, std::string owner, std::filesystem::path state)
        : folder_{std::move(folder)}, owner_{std::move(owner)}, state_{std::move(state)}
    {
    }

    /// What VMs of this state folder use from now on; for none the file goes. One thread at a time. Throws NoSpace, Failed.
    void write(const std::set<std::string>& digests) const;

    /// Whose VMs use it, this state folder's left out: other state folders, or a file that can't be read, as it may say anything. Who deleted his state
    /// folder is forgotten; one that is not mounted just now is not. Reads small files; any thread.
    std::vector<std::string> others_of(const Digest& digest) const;

private:
    std::filesystem::path folder_;
    std::string owner_;
    std::filesystem::path state_;
};

}  // namespace banger::agent
