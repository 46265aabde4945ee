// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ladder.hpp"

#include "agent/system/firecracker_api.hpp"

namespace banger::agent {
namespace {

Error refusal(VmmChoice choice, const std::string& why)
{
    return Error{ErrorCode::HostLacks, std::string{to_string(choice)} + " was asked for, but " + why};
}

}  // namespace

Ladder::Ladder(EventLoop& loop, ProcessHost& processes, GuestLinks& links, std::filesystem::path state, Host host)
    : host_{std::move(host)},
      firecracker_{[this] { return host_.firecracker.path(); }, host_.confine},
      qemu_kvm_{QemuAccelerator::Kvm, host_.confine},
      qemu_tcg_{QemuAccelerator::Tcg, host_.confine},
      probe_{loop,
             processes,
             links,
             [this] {
                 return host_.firecracker.known_problem().empty() ? static_cast<const Vmm*>(&firecracker_) : &qemu_kvm_;
             },
             std::move(state),
             host_.device_problem}
{
}

/// Why this VM can't be Firecracker's; empty when it can.
Task<std::string> Ladder::firecracker_problem(VmSpec spec)
{
    if (spec.vcpus > firecracker_vcpus) {
        co_return "Firecracker takes " + std::to_string(firecracker_vcpus) + " CPUs at most";
    }
    std::string problem = co_await host_.firecracker.problem();
    const bool needs_own_tap = spec.network != NetworkChoice::None && spec.network != NetworkChoice::Tap;
    if (problem.empty() && needs_own_tap && host_.tap_problem) {
        problem = co_await host_.tap_problem();
    }
    co_return problem;
}

Task<VmmLadder::Pick> Ladder::choose(VmSpec spec, Artifact kernel)
{
    const auto choice = spec.vmm;
    const bool forces_qemu = choice == VmmChoice::QemuTcg || choice == VmmChoice::QemuKvm;
    if (forces_qemu && spec.rates.network.bytes() > 0) {
        throw Error{ErrorCode::InvalidArgument,
                    "only Firecracker limits a VM's network, and " + std::string{to_string(choice)} + " was asked for"};
    }
    if (choice == VmmChoice::QemuTcg) {
        Pick pick{&qemu_tcg_, ""};
        co_return pick;
    }
    std::string lack;
    if (choice != VmmChoice::QemuKvm) {
        lack = co_await firecracker_problem(spec);
    }
    if (choice == VmmChoice::Firecracker && !lack.empty()) {
        throw refusal(choice, lack);
    }
    if (!lack.empty() && spec.rates.network.bytes() > 0) {
        throw Error{ErrorCode::HostLacks, "only Firecracker limits a VM's network, but " + lack};
    }
    const auto kvm = co_await probe_.ask(std::move(kernel));
    if (!kvm.usable && choice != VmmChoice::Auto) {
        throw refusal(choice, kvm.reason);
    }
    if (!kvm.usable && spec.rates.network.bytes() > 0) {
        throw Error{ErrorCode::HostLacks, "only Firecracker limits a VM's network, but " + kvm.reason};
    }
    if (!kvm.usable) {
        Pick pick{&qemu_tcg_, kvm.reason};
        co_return pick;
    }
    const bool fits = lack.empty() && choice != VmmChoice::QemuKvm;
    const Vmm* vmm = &qemu_kvm_;
    if (fits) {
        vmm = &firecracker_;
    }
    Pick pick{vmm, std::move(lack)};
    co_return pick;
}

Task<void> Ladder::look_ahead(Artifact kernel)
{
    co_await host_.firecracker.problem();
    co_await probe_.ask(std::move(kernel));
}

const Vmm* Ladder::by_name(std::string_view name) const noexcept
{
    for (const Vmm* vmm : {static_cast<const Vmm*>(&firecracker_), static_cast<const Vmm*>(&qemu_kvm_),
                           static_cast<const Vmm*>(&qemu_tcg_)}) {
        if (vmm->name() == name) {
            return vmm;
        }
    }
    return nullptr;
}

}  // namespace banger::agent
