// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/system/firecracker_driver.hpp"
#include "agent/system/firecracker_program.hpp"
#include "agent/system/kvm_probe.hpp"
#include "agent/system/qemu_driver.hpp"

namespace banger::agent {

/// The VMMs of this build, best first: Firecracker, then QEMU, on KVM where a guest really boots there; else QEMU's own emulation.
class Ladder final : public VmmLadder {
public:
    struct Host {
        FirecrackerProgram& firecracker;
        std::function<std::string()> device_problem{kvm_device_problem};
        /// Why Firecracker's guests can have no user-mode network here; empty where they can.
        std::function<Task<std::string>()> tap_problem{};
        Confine confine{};
    };

    Ladder(EventLoop& loop, ProcessHost& processes, GuestLinks& links, std::filesystem::path state, Host host);

    Task<Pick> choose(VmSpec spec, Artifact kernel) override;
    Task<void> look_ahead(Artifact kernel) override;
    const Vmm* by_name(std::string_view name) const noexcept override;
    KvmProbe& probe() noexcept { return probe_; }

private:
    Task<std::string> firecracker_problem(VmSpec spec);

    Host host_;
    FirecrackerDriver firecracker_;
    QemuDriver qemu_kvm_;
    QemuDriver qemu_tcg_;
    KvmProbe probe_;
};

}  // namespace banger::agent
