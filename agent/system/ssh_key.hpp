// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <mutex>
#include <utility>

#include "agent/ports/user_key.hpp"

namespace banger::agent {

/// The user's own key, where he names one, else an ed25519 key in STATE/ssh, 0600, made by ssh-keygen at first use. Any worker thread.
class SshKey final : public UserKey {
public:
    /// `named` gives a private key's path, or an empty one; any thread.
    explicit SshKey(const std::filesystem::path& state, std::function<std::filesystem::path()> named = {})
        : folder_{state / "ssh"}, named_{std::move(named)}
    {
    }

    std::filesystem::path private_key() override;
    std::string public_key() override;

private:
    std::filesystem::path made();

    std::filesystem::path folder_;
    std::function<std::filesystem::path()> named_;
    std::mutex making_;  ///< two VMs may start at once
};

}  // namespace banger::agent
