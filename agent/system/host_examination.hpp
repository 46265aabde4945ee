// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/broker.hpp"
#include "agent/ports/host_examiner.hpp"
#include "agent/system/firecracker_program.hpp"
#include "agent/system/kvm_probe.hpp"

namespace banger::agent {

class HostExamination final : public HostExaminer {
public:
    /// What is looked at by a worker, as it may take its time.
    struct Surroundings {
        EventLoop& loop;
        Lane& lane;
        std::filesystem::path confine;  ///< banger-confine
        std::filesystem::path state;
    };
    HostExamination(KvmProbe& probe, FirecrackerProgram& firecracker, Broker& broker, Surroundings around)
        : probe_{&probe}, firecracker_{&firecracker}, broker_{&broker}, around_{std::move(around)}
    {
    }

    std::vector<Finding> programs() const override;
    Task<Finding> firecracker() override;
    Task<std::vector<Finding>> surroundings() override;
    Task<Finding> broker() override;
    Task<Finding> kvm(std::optional<Artifact> kernel) override;

private:
    KvmProbe* probe_;
    FirecrackerProgram* firecracker_;
    Broker* broker_;
    Surroundings around_;
};

/// What `banger doctor` says of the broker; `program`: where it is installed, for its own check.
Finding finding_of(const BrokerReport& report, const std::filesystem::path& program, const std::string& user);

/// Whether the host's programs find VMs by name. `root`: "/".
Finding finding_of_names(const std::filesystem::path& root);

/// Whether guests with a TAP have a name server that they can reach. `root`: "/".
Finding finding_of_resolvers(const std::filesystem::path& root);

}  // namespace banger::agent
