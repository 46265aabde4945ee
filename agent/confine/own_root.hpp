// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "agent/confine/arguments.hpp"
#include "common/unique_fd.hpp"

namespace banger::confine {

/// A root folder that holds what is granted and nothing else, in a user and mount namespace of its own, and a network's where it wants none.
/// A child process makes it, as there is no way back from half of it, and stays in it until this object goes.
class OwnRoot {
public:
    /// Makes it; problem() tells where that failed.
    explicit OwnRoot(const Arguments& arguments);
    OwnRoot(const OwnRoot&) = delete;
    OwnRoot& operator=(const OwnRoot&) = delete;
    ~OwnRoot();

    /// Why this host gives its users none, or not this one; empty: it is there.
    const std::string& problem() const noexcept { return problem_; }
    /// Takes this process into it, and there into the VM's folder. Open descriptors stay what they are. False where the kernel refuses:
    /// then nothing has changed. Throws HostLacks once it is inside.
    bool enter() const;

private:
    std::filesystem::path folder_;
    int namespaces_;  ///< CLONE_NEW…
    pid_t child_{-1};
    UniqueFd stays_;  ///< the child leaves when this closes
    std::string problem_;
};

/// Gives up the capabilities that the namespace brought, also those that root would get back with its next exec. Throws Failed.
void drop_capabilities();

}  // namespace banger::confine
