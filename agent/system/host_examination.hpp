// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/host_examiner.hpp"
#include "agent/system/kvm_probe.hpp"

namespace banger::agent {

class HostExamination final : public HostExaminer {
public:
    explicit HostExamination(KvmProbe& probe) : probe_{&probe} {}

    std::vector<Finding> programs() const override;
    Task<Finding> kvm(std::optional<Artifact> kernel) override;

private:
    KvmProbe* probe_;
};

}  // namespace banger::agent
