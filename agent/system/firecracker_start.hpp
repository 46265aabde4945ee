// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/ports/vmm.hpp"

namespace banger::agent {

/// How long a Firecracker may take.
struct FirecrackerLimits {
    std::chrono::milliseconds socket{10'000};   ///< to listen, once it has been started
    std::chrono::milliseconds request{10'000};  ///< to answer one
};

/// Waits for the API socket of a Firecracker that has just been started, looks at its version and sends what makes a VM of it.
/// As Vmm::boot().
Task<void> start_firecracker(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process,
                             FirecrackerLimits limits = {});

/// As Vmm::has_booted(). One that doesn't answer counts as one that has: it may be stopped by a signal, with a guest in it.
Task<bool> firecracker_has_booted(EventLoop& loop, std::filesystem::path folder);

}  // namespace banger::agent
