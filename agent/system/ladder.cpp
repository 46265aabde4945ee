// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ladder.hpp"

namespace banger::agent {

Task<const Vmm*> Ladder::choose(VmmChoice choice, Artifact kernel)
{
    if (choice == VmmChoice::QemuTcg) {
        co_return &qemu_tcg_;
    }
    const auto verdict = co_await probe_.ask(std::move(kernel));
    if (verdict.usable) {
        co_return &qemu_kvm_;
    }
    if (choice == VmmChoice::QemuKvm) {
        throw Error{ErrorCode::HostLacks, "qemu-kvm was asked for, but " + verdict.reason};
    }
    co_return &qemu_tcg_;
}

const Vmm* Ladder::by_name(std::string_view name) const noexcept
{
    if (name == qemu_kvm_.name()) {
        return &qemu_kvm_;
    }
    return name == qemu_tcg_.name() ? &qemu_tcg_ : nullptr;
}

}  // namespace banger::agent
