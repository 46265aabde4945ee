// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/host_examiner.hpp"
#include "agent/system/firecracker_program.hpp"
#include "agent/system/kvm_probe.hpp"

namespace banger::agent {

class HostExamination final : public HostExaminer {
public:
    HostExamination(KvmProbe& probe, FirecrackerProgram& firecracker) : probe_{&probe}, firecracker_{&firecracker} {}

    std::vector<Finding> programs() const override;
    Task<Finding> firecracker() override;
    Task<Finding> kvm(std::optional<Artifact> kernel) override;

private:
    KvmProbe* probe_;
    FirecrackerProgram* firecracker_;
};

}  // namespace banger::agent
