// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/system/kvm_probe.hpp"
#include "agent/system/qemu_driver.hpp"

namespace banger::agent {

/// The VMMs of this build, best first: QEMU on KVM where a guest really boots there, else QEMU's own emulation.
class Ladder final : public VmmLadder {
public:
    Ladder(EventLoop& loop, ProcessHost& processes, GuestLinks& links, std::filesystem::path state,
           std::function<std::string()> device_problem = kvm_device_problem)
        : probe_{loop, processes, links, qemu_kvm_, std::move(state), std::move(device_problem)}
    {
    }

    Task<const Vmm*> choose(VmmChoice choice, Artifact kernel) override;
    const Vmm* by_name(std::string_view name) const noexcept override;
    KvmProbe& probe() noexcept { return probe_; }

private:
    QemuDriver qemu_kvm_{QemuAccelerator::Kvm};
    QemuDriver qemu_tcg_{QemuAccelerator::Tcg};
    KvmProbe probe_;
};

}  // namespace banger::agent
