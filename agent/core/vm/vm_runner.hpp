// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>

#include "agent/core/vm/vm_ports.hpp"
#include "agent/core/vm/vm_sandboxes.hpp"

namespace banger::agent {

/// Starts, stops, watches and takes over the VMM of one VM at a time. Callers hold Vm::lifecycle for start() and stop().
/// Loop thread.
class VmRunner {
public:
    /// `ended` is called after each end of a VMM, once the row is true again; `reboot` says that the guest wants to come back.
    struct Hooks {
        VmObserver observer;
        enum class End { Stopped, Reboot };
        std::function<void(VmPtr, End)> ended;
        std::function<void(const VmPtr&)> up{};  ///< a VMM runs and is watched: was started just now, or taken over
        std::function<void(const VmPtr&)> ready_unattended{};  ///< its guest is ready, and no start waits for that
    };

    VmRunner(const VmPorts& ports, VmSandboxes& sandboxes, Hooks hooks)
        : ports_{ports}, sandboxes_{&sandboxes}, hooks_{std::move(hooks)}
    {
    }

    /// Before start(), stop() and what needs the disks for itself, of a VM that was made before: throws WrongState when a VMM of it runs that nobody
    /// watches, and as ProcessHost::find().
    Task<void> check_alone(VmPtr vm);
    /// Until the guest is ready. Throws HostLacks, NoSpace, TimedOut (the VMM is left for a look), Failed, Cancelled (ended again).
    Task<void> start(VmPtr vm, OperationPtr operation, std::chrono::milliseconds ready_limit);
    /// Asks the guest, then the VMM, then the kernel. True: the guest shut down by itself in time.
    Task<bool> stop(VmPtr vm, std::chrono::milliseconds limit);
    /// Ends the VMM at once, also one that nobody watches. Throws TimedOut when not even the kernel can.
    Task<void> end(VmPtr vm);
    /// Sends a signal to the VMM. Throws WrongState.
    void kill(const VmPtr& vm, int signal);
    /// A start in progress gives up, wherever it is, and so does a change that may wait for polkit's answer.
    static void give_way(const VmPtr& vm);
    /// After bangerd's own start: the VMM is found again, or the row made true. Gives the FoundX event that held.
    Task<VmEvent> recover(VmPtr vm);

    /// Applies an event of the state table and tells the observer. Throws WrongState where the table has no such row.
    void apply(const VmPtr& vm, VmEvent event, const char* wish);
    /// Writes the row. For what the user wants: a failure is the caller's.
    Task<void> save(VmPtr vm);
    /// Writes the row. For what was seen: a failure is logged, as the next bangerd looks for itself.
    Task<void> note(VmPtr vm);

private:
    // vm_runner.cpp: up and down
    Task<void> launch(VmPtr vm, OperationPtr operation);
    Task<void> undo_launch(VmPtr vm, std::exception_ptr failure);
    Task<void> end_what_runs(VmPtr vm);
    Task<void> end_unwatched(VmPtr vm);
    Task<GuestNetwork> start_network(VmPtr vm, OperationPtr operation, const Vmm& vmm);
    Task<void> refresh_links(VmPtr vm);
    Task<void> write_notes(VmPtr vm);
    Task<void> save_with_notes(VmPtr vm);
    static VmmConfig vmm_config(const VmPtr& vm, const Vmm& vmm, const VmmNetwork& network);
    Task<ProcessId> start_vmm(VmPtr vm, const Vmm* vmm, VmmConfig config);
    Task<void> boot(VmPtr vm, OperationPtr operation, const Vmm& vmm, VmmConfig config, const UniqueFd& process);
    Task<void> await_ready(VmPtr vm, OperationPtr operation, std::chrono::milliseconds limit);

    // vm_watch.cpp: what happens meanwhile
    void adopt(const VmPtr& vm, const Vmm& vmm, UniqueFd process, GuestSettings settings);
    Task<void> take_over(VmPtr vm, const Vmm* vmm, UniqueFd process);
    void on_ready(const VmPtr& vm);
    void on_goodbye(const VmPtr& vm, GuestGoodbye goodbye);
    Task<void> note_power_off(VmPtr vm);
    Task<void> end_first_boot(VmPtr vm);
    void on_process_end(const VmPtr& vm);
    Task<void> settle_end(VmPtr vm, VmEvent event, Hooks::End end);
    GuestLinkEvents link_events(const VmPtr& vm);
    static void forget_run(const VmPtr& vm);
    static std::string end_of_logs(const VmPtr& vm);

    VmPorts ports_;
    VmSandboxes* sandboxes_;
    Hooks hooks_;
};

}  // namespace banger::agent
