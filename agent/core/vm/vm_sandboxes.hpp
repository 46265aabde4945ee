// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/vm/vm_ports.hpp"

namespace banger::agent {

/// Has a TAP of the broker's: by the user's own wish, or because his configuration likes NAT where it costs no question.
enum class TapWish { No, IfEasy, Asked };
TapWish tap_wish(const VmSpec& spec) noexcept;

/// What `vm list` warns of: a root disk that can't grow, or soon won't. Empty when all is well.
std::string warning_of(const Vm& vm);

/// The network of a guest that has the broker's TAP, as far as its address tells: for one that runs already.
GuestNetwork tap_network(const std::string& address);

/// What VMs have of the broker: a copy-on-write root disk (dm-snapshot), a TAP, or both, in one sandbox a VM. Sandboxes outlive bangerd,
/// and the broker knows nothing of VMs, so this is where the two are made to agree. Loop thread.
class VmSandboxes {
public:
    struct Hooks {
        VmObserver observer;
        std::function<std::vector<VmPtr>()> vms;
        std::filesystem::path vms_folder;
    };

    VmSandboxes(const VmPorts& ports, Hooks hooks);

    /// Before the row is written, so that it says that there may be a sandbox.
    static void plan(VmRecord& record) noexcept;
    /// For a new VM: makes the sandbox and starts it once, which says whether this host can have it. The spec's storage is no longer Auto
    /// then. Where the storage was banger's choice and can't be had, it becomes a file; else that throws.
    Task<void> make(VmPtr vm, OperationPtr operation);
    /// Before the VMM. The network is there where the guest has the TAP; root.img then leads to the disk. Throws, where the user
    /// asked for it or the root disk is there, what Broker throws.
    Task<std::optional<GuestNetwork>> start(VmPtr vm, OperationPtr operation);
    /// After the VMM's end, and for one that never came. Goes on by itself; what comes next for this VM waits for it.
    void stop(const VmPtr& vm);
    /// Until stop() has come to its end, unless it waits for somebody whom polkit asks.
    static Task<void> settled(VmPtr vm);

    enum class Patience { Wait, None };
    /// For good. A broker that can't be reached is no error: it is told when it can. Throws InUse (something holds the disk open).
    Task<void> remove(VmPtr vm, Patience patience);

    /// Tells the broker the VM's NAT, which the spec has already; makes the sandbox where there is none. May ask the user. Throws Cancelled.
    Task<void> tell_nat(VmPtr vm, OperationPtr operation);
    /// Throws Cancelled.
    Task<void> grow(VmPtr vm, OperationPtr operation, ByteSize overlay);

    /// Looks what the broker has and makes it agree with the VMs, in the background; again and again while that is of use.
    void align();
    void housekeep();

private:
    std::string id_of(const VmPtr& vm) const;
    Task<void> write(VmPtr vm);
    Task<void> create(VmPtr vm, std::optional<Digest> base, Prompt prompt);
    Task<void> create_with(VmPtr vm, std::optional<Digest> base, Nat nat, Prompt prompt);
    Task<void> make_disk(VmPtr vm, Prompt prompt);
    Task<void> make_network(VmPtr vm);
    Task<void> make_ready(VmPtr vm, Prompt prompt);
    Task<StartedSandbox> bring_up(VmPtr vm);
    Task<StartedSandbox> begin(VmPtr vm, SandboxNetwork network);
    Task<void> keep_started(VmPtr vm);
    Task<void> link_root(VmPtr vm, std::string disk);
    Task<void> tell_nat_in_turn(VmPtr vm);
    Task<void> grow_in_turn(VmPtr vm, OperationPtr operation, ByteSize overlay);
    Task<void> stop_in_turn(VmPtr vm);
    Task<void> stop_now(std::string id);
    Task<void> destroy_now(std::string id);
    Task<void> destroy_in_turn(VmPtr vm);
    Task<void> until_free(Task<void> (VmSandboxes::*call)(std::string), std::string id);
    SandboxBase base_of(const VmPtr& vm) const;
    void destroy_later(const VmPtr& vm);

    Task<void> look();
    Task<void> take_in(VmPtr vm, SandboxRow row);
    Task<void> name(VmPtr vm, SandboxRow row);
    Task<void> take_away(std::string id);
    void forget_lost(const std::set<std::string>& listed);
    void log(const std::string& message, const VmPtr& vm) const { hooks_.observer.log(message, vm); }

    VmPorts ports_;
    Hooks hooks_;
    std::set<std::string> named_;      ///< sandboxes whose VM's name is answered for by this bangerd
    std::set<std::string> nameless_;   ///< those whose name could not be had, which was said
    std::set<std::string> leftovers_;  ///< sandboxes of VMs that are gone
    bool looking_{false};
    bool look_again_{false};
    bool looked_{false};  ///< the broker has answered once
};

}  // namespace banger::agent
