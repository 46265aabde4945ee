// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/vmm.hpp"

namespace banger::agent {

enum class QemuAccelerator { Kvm, Tcg };

/// QEMU's microvm machine: virtio over MMIO found through ACPI, the same guest files as Firecracker.
class QemuDriver final : public Vmm {
public:
    explicit QemuDriver(QemuAccelerator accelerator) noexcept : accelerator_{accelerator} {}

    std::string_view name() const noexcept override;
    VmmSockets listen(const std::filesystem::path& folder) const override;
    std::vector<std::string> command(const VmmConfig& config) const override;
    std::string kernel_arguments() const override;
    std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const override;
    UniqueFd connect_guest(const std::filesystem::path& folder) const override;

private:
    QemuAccelerator accelerator_;
};

}  // namespace banger::agent
