// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/ports/artifacts.hpp"

namespace banger::agent {

/// One line of `banger doctor`.
struct Finding {
    std::string check;
    std::string verdict;  ///< ok, warn or missing
    std::string detail;
    std::string mend;  ///< one command, or empty
};

/// Looks at what the host has of the ladder in design.md; changes nothing but the remembered verdict on KVM.
class HostExaminer {
public:
    HostExaminer() = default;
    HostExaminer(const HostExaminer&) = delete;
    HostExaminer& operator=(const HostExaminer&) = delete;
    virtual ~HostExaminer() = default;

    virtual std::vector<Finding> programs() const = 0;
    virtual Task<Finding> firecracker() = 0;
    /// Where VMs lie, what holds a VMM, what may refuse things on this host.
    virtual Task<std::vector<Finding>> surroundings() = 0;
    virtual Task<Finding> broker() = 0;
    /// With a kernel a guest is booted, some seconds at most; without one only the device is looked at.
    virtual Task<Finding> kvm(std::optional<Artifact> kernel) = 0;
};

}  // namespace banger::agent
