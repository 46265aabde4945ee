// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "agent/core/vm/vm_ports.hpp"

namespace banger::agent {

/// Why /dev/kvm can't be used even before a guest is tried; empty when it opens.
std::string kvm_device_problem();

/// Whether KVM boots a guest here: /dev/kvm may open, and guests still hang (nested hosts), so it is tried once with the real kernel
/// and remembered for this boot of the host.
class KvmProbe {
public:
    struct Verdict {
        bool usable;
        std::string reason;  ///< why not, and the command that mends it where there is one
        bool remembered{true};
    };

    /// How long a guest may take to say hello; on KVM it takes well under one.
    static constexpr std::chrono::milliseconds boot_limit{6'000};

    KvmProbe(EventLoop& loop, ProcessHost& processes, GuestLinks& links, const Vmm& qemu_kvm,
             std::filesystem::path state, std::function<std::string()> device_problem = kvm_device_problem)
        : loop_{&loop},
          processes_{&processes},
          links_{&links},
          qemu_{&qemu_kvm},
          state_{std::move(state)},
          device_problem_{std::move(device_problem)}
    {
    }

    /// Boots a probe when nothing is remembered.
    Task<Verdict> ask(Artifact kernel);
    /// Ends the probe of a bangerd that was killed, which may hang for ever; before the first ask().
    Task<void> clear_leftovers();

private:
    Task<Verdict> boot(Artifact kernel);
    std::optional<Verdict> recall(const Artifact& kernel) const;
    void remember(const Artifact& kernel, const Verdict& verdict) const;

    EventLoop* loop_;
    ProcessHost* processes_;
    GuestLinks* links_;
    const Vmm* qemu_;
    std::filesystem::path state_;
    std::function<std::string()> device_problem_;
    TaskMutex one_at_a_time_;
};

}  // namespace banger::agent
