// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/vmm.hpp"
#include "agent/system/confinement.hpp"

namespace banger::agent {

enum class QemuAccelerator { Kvm, Tcg };

/// QEMU's microvm machine: virtio over MMIO found through ACPI, the same guest files as Firecracker.
class QemuDriver final : public Vmm {
public:
    explicit QemuDriver(QemuAccelerator accelerator, Confine confine = {})
        : accelerator_{accelerator}, confine_{std::move(confine)}
    {
    }

    std::string_view name() const noexcept override;
    VmmNetwork::Kind network_kind() const noexcept override { return VmmNetwork::Kind::StreamSocket; }
    std::string_view log_name() const noexcept override;
    VmmStreams prepare(const std::filesystem::path& folder) const override;
    std::vector<std::string> command(const VmmConfig& config) const override;
    std::string kernel_arguments() const override;
    Task<void> boot(EventLoop&, std::filesystem::path, VmmConfig, int) const override { co_return; }
    Task<bool> has_booted(EventLoop&, std::filesystem::path) const override { co_return true; }
    std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const override;
    GuestDoor guest_door(const std::filesystem::path& folder) const override;

private:
    VmmNeeds needs_of(const VmmConfig& config) const;

    QemuAccelerator accelerator_;
    Confine confine_;
};

}  // namespace banger::agent
