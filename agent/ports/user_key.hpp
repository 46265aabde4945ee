// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger::agent {

/// The ssh key by which this user's guests know him. Called on a worker thread.
class UserKey {
public:
    UserKey() = default;
    UserKey(const UserKey&) = delete;
    UserKey& operator=(const UserKey&) = delete;
    virtual ~UserKey() = default;

    /// The private key's path; made at the first call. Throws HostLacks (no ssh-keygen), NoSpace.
    virtual std::filesystem::path private_key() = 0;
    /// The public half, one line; made at the first call, too. Throws alike.
    virtual std::string public_key() = 0;
};

}  // namespace banger::agent
