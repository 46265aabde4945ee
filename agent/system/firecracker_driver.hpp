// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "agent/ports/vmm.hpp"
#include "agent/system/confinement.hpp"

namespace banger::agent {

/// Firecracker, 1.12 or newer, told over its API what to boot. It needs KVM. Its seccomp filters are on, which is its default.
class FirecrackerDriver final : public Vmm {
public:
    /// `program` gives its path, or throws HostLacks.
    explicit FirecrackerDriver(std::function<std::filesystem::path()> program, Confine confine = {})
        : program_{std::move(program)}, confine_{std::move(confine)}
    {
    }

    std::string_view name() const noexcept override { return "firecracker"; }
    VmmNetwork::Kind network_kind() const noexcept override { return VmmNetwork::Kind::Tap; }
    std::string_view log_name() const noexcept override;
    VmmStreams prepare(const std::filesystem::path& folder) const override;
    std::vector<std::string> command(const VmmConfig& config) const override;
    std::string kernel_arguments() const override;
    Task<void> boot(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process) const override;
    Task<bool> has_booted(EventLoop& loop, std::filesystem::path folder) const override;
    std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const override;
    GuestDoor guest_door(const std::filesystem::path& folder) const override;

private:
    std::function<std::filesystem::path()> program_;
    Confine confine_;
};

}  // namespace banger::agent
