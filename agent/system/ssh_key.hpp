// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <mutex>

#include "agent/ports/user_key.hpp"

namespace banger::agent {

/// An ed25519 key in STATE/ssh, 0600, made by ssh-keygen at first use. Any worker thread.
class SshKey final : public UserKey {
public:
    explicit SshKey(const std::filesystem::path& state) : folder_{state / "ssh"} {}

    std::filesystem::path private_key() override;
    std::string public_key() override;

private:
    std::filesystem::path folder_;
    std::mutex making_;  ///< two VMs may start at once
};

}  // namespace banger::agent
