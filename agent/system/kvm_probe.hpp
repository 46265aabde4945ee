// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "agent/core/vm/vm_ports.hpp"

namespace banger::agent {

/// Why /dev/kvm can't be used even before a guest is tried; empty when it opens.
std::string kvm_device_problem();
/// Why a device that exists does not open for this user, with the group and the command that mend it.
std::string refused_problem(const std::filesystem::path& device);

/// Whether KVM boots a guest here: /dev/kvm may open, and guests still hang (nested hosts), so it is tried once with the real kernel
/// and remembered for this boot of the host.
class KvmProbe {
public:
    struct Verdict {
        bool usable;
        std::string reason;  ///< why not, and the command that mends it where there is one
        bool remembered{true};
    };

    /// How long a guest may say nothing on its console, and how long it may take in all to say hello; on KVM that is well under a second,
    /// but 10 where KVM is emulated (tests/lab).
    static constexpr std::chrono::milliseconds silence_limit{20'000};
    static constexpr std::chrono::milliseconds boot_limit{60'000};

    /// `vmm` gives the one to try with, one that uses KVM.
    KvmProbe(EventLoop& loop, ProcessHost& processes, GuestLinks& links, std::function<const Vmm*()> vmm,
             std::filesystem::path state, std::function<std::string()> device_problem = kvm_device_problem)
        : loop_{&loop},
          processes_{&processes},
          links_{&links},
          vmm_{std::move(vmm)},
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
    static Verdict ended_verdict(const Vmm& vmm, const std::filesystem::path& folder);
    std::optional<Verdict> recall(const Artifact& kernel) const;
    void remember(const Artifact& kernel, const Verdict& verdict) const;

    EventLoop* loop_;
    ProcessHost* processes_;
    GuestLinks* links_;
    std::function<const Vmm*()> vmm_;
    std::filesystem::path state_;
    std::function<std::string()> device_problem_;
    TaskMutex one_at_a_time_;
};

}  // namespace banger::agent
