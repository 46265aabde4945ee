// SPDX-License-Identifier: GPL-2.0-or-later
// The half of VmRunner that follows a VMM which runs: what its guest says, its end, and the return of a bangerd that was away.
#include <csignal>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_runner.hpp"
#include "common/denial.hpp"

namespace banger::agent {

void VmRunner::adopt(const VmPtr& vm, const Vmm& vmm, UniqueFd process, GuestSettings settings)
{
    vm->running = std::make_unique<RunningVm>();
    vm->end_unasked = false;
    auto& running = *vm->running;
    running.process = std::move(process);
    // Weak: a VM must not keep itself alive through its own watch.
    running.process_source =
        ports_.loop.on_io(running.process.get(), EventLoop::readable, [this, weak = std::weak_ptr{vm}](std::uint32_t) {
            if (const auto alive = weak.lock()) {
                on_process_end(alive);
            }
        });
    try {
        running.control = vmm.attach(ports_.loop, vm->folder);
    } catch (const Error& error) {
        hooks_.observer.log(std::string{"no control connection: "} + error.what(), vm);
    }
    running.link = ports_.links.open(vmm.guest_door(vm->folder), std::move(settings), link_events(vm));
    hooks_.up(vm);
}

GuestLinkEvents VmRunner::link_events(const VmPtr& vm)
{
    GuestLinkEvents events;
    events.ready = [this, weak = std::weak_ptr{vm}] {
        if (const auto alive = weak.lock(); alive && alive->running) {
            on_ready(alive);
        }
    };
    events.goodbye = [this, weak = std::weak_ptr{vm}](GuestGoodbye goodbye) {
        if (const auto alive = weak.lock(); alive && alive->running) {
            on_goodbye(alive, goodbye);
        }
    };
    events.failed = [weak = std::weak_ptr{vm}](const std::string& why) {
        if (const auto alive = weak.lock(); alive && alive->running) {
            alive->running->guest_failure = why;
        }
    };
    return events;
}

void VmRunner::on_ready(const VmPtr& vm)
{
    auto& running = *vm->running;
    if (running.ready || running.goodbye) {
        return;  // said again: a guest may not make us tell all the bus as often as it likes
    }
    running.ready = true;
    running.ready_once = true;
    if (running.late) {
        running.late = false;
        vm->record.reason.clear();
    }
    if (const auto next = next_state(vm->record.state, VmEvent::GuestReady)) {
        vm->record.state = *next;
    }
    hooks_.observer.changed(vm);
    spawn(end_first_boot(vm), [this, vm](std::exception_ptr failure) {
        if (failure) {
            hooks_.observer.log(std::string{"its next boot may be a first one again: "} + to_error(failure).what(), vm);
        }
    });
    if (std::exchange(running.unattended, false) && hooks_.ready_unattended) {
        hooks_.ready_unattended(vm);
    }
    running.started.set(StartOutcome::Ready);
}

/// From now on this machine has lived, whatever becomes of its start.
Task<void> VmRunner::end_first_boot(VmPtr vm)
{
    auto end = [folder = vm->folder] { banger::agent::end_first_boot(folder); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(end));
}

void VmRunner::on_goodbye(const VmPtr& vm, GuestGoodbye goodbye)
{
    auto& running = *vm->running;
    const bool is_first = !running.goodbye;  // a guest may not make us write as often as it likes
    running.goodbye = goodbye;
    if (std::exchange(running.ready, false)) {
        hooks_.observer.changed(vm);
    }
    if (is_first && goodbye == GuestGoodbye::PowerOff && vm->record.state == VmState::Running) {
        spawn(note_power_off(vm));  // where that fails, a bangerd that comes just now may take it for a reboot
    }
}

/// In the row alone, for a bangerd that comes back before the VMM has ended: on Firecracker every end is a reset.
Task<void> VmRunner::note_power_off(VmPtr vm)
{
    auto& store = ports_.store;
    auto update = [&store, row = vm->record]() mutable {
        row.state = VmState::Stopping;
        store.update(row);
    };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(update));
}

void VmRunner::on_process_end(const VmPtr& vm)
{
    auto& running = *vm->running;
    running.process_source.reset();
    if (running.link) {
        running.goodbye = running.link->last_goodbye();
    }
    if (!running.goodbye && std::chrono::steady_clock::now() < running.going_down_until) {
        running.goodbye = GuestGoodbye::PowerOff;
    }
    const auto said = running.control ? running.control->guest_end() : std::nullopt;
    const bool wanted =
        running.kill_asked || vm->record.state == VmState::Stopping || vm->record.state == VmState::Deleting;
    vm->end_unasked = !wanted;
    const bool powered_off = said == GuestEnd::PowerOff || running.goodbye == GuestGoodbye::PowerOff;
    const bool rebooted = said == GuestEnd::Reset || running.goodbye == GuestGoodbye::Reboot;
    if (!running.guest_failure.empty() && !wanted) {
        vm->record.reason = "the guest could not boot: " + running.guest_failure;
        spawn(settle_end(vm, VmEvent::VmmCrashed, Hooks::End::Stopped));
    } else if (!wanted && running.ready_once && rebooted && running.goodbye != GuestGoodbye::PowerOff) {
        vm->reboot_wanted = true;
        spawn(settle_end(vm, VmEvent::RebootRequested, Hooks::End::Reboot));
    } else if (wanted || powered_off) {
        spawn(settle_end(vm, VmEvent::VmmEnded, Hooks::End::Stopped));
    } else {
        vm->record.reason =
            (rebooted ? "the guest reset before it was ready; " : "the VMM ended by itself; ") + end_of_logs(vm);
        spawn(settle_end(vm, VmEvent::VmmCrashed, Hooks::End::Stopped));
    }
}

void VmRunner::forget_run(const VmPtr& vm)
{
    vm->record.process = {};
    vm->record.vmm.clear();
    vm->record.network.clear();
    vm->record.address.clear();
    if (!vm->reboot_wanted && !vm->restarting) {
        vm->record.forwards.clear();
    }
}

Task<void> VmRunner::settle_end(VmPtr vm, VmEvent event, Hooks::End end)
{
    const auto running = std::move(vm->running);
    running->started.set(
        StartOutcome::VmmEnded);  // before anything waits: a start that waits must not find its limit first
    ports_.user_network.stop(vm->folder);
    sandboxes_->stop(vm);
    running->ports.clear();
    running->link.reset();
    running->control.reset();
    if (const auto next = next_state(vm->record.state, event)) {
        vm->record.state = *next;
    }
    forget_run(vm);
    hooks_.observer.changed(vm);
    if (!vm->removed) {
        co_await note(vm);
    }
    // Before those who wait for the end go on: a restart that waits says by a flag that this end is none.
    hooks_.ended(vm, end);
    running->ended.set();
}

Task<VmEvent> VmRunner::recover(VmPtr vm)
{
    const auto process = co_await ports_.processes.find(vm->record.id, "vmm", vm->folder, vm->record.process);
    auto watch = ports_.open_process(process);
    const Vmm* vmm = ports_.ladder.by_name(vm->record.vmm);
    const auto before = vm->record.state;
    const bool was_up = before == VmState::Running || before == VmState::Starting || before == VmState::Stopping;
    const bool half_started =
        watch && vmm != nullptr && before == VmState::Starting && !co_await vmm->has_booted(ports_.loop, vm->folder);
    vm->record.process = process;
    if (half_started) {
        co_await end_unwatched(vm);
        watch.reset();
    }
    if (watch && vmm != nullptr) {
        co_await take_over(vm, vmm, std::move(watch));
        vm->running->ready_once = was_up;
        vm->running->unattended = before == VmState::Starting;
        if (before == VmState::Stopping) {
            vm->running->going_down_until = std::chrono::steady_clock::now() + ports_.limits.going_down;
        }
        co_await note(vm);
        co_return VmEvent::FoundRunning;
    }
    forget_run(vm);
    if (watch) {
        vm->record.process = process;  // it must not be taken for gone
        vm->record.reason = "its VMM runs as PID " + std::to_string(process.pid) +
                            ", but banger lost what it needs to speak to it; end that process, then start the VM again";
        apply(vm, VmEvent::FoundStrange, "taken over");
        co_await note(vm);
        co_return VmEvent::FoundStrange;
    }
    ports_.user_network.stop(vm->folder);
    apply(vm, VmEvent::FoundGone, "taken over");
    if (was_up) {
        vm->record.reason = "its VMM ended while bangerd was away";
        co_await note(vm);
    }
    co_return VmEvent::FoundGone;
}

Task<void> VmRunner::take_over(VmPtr vm, const Vmm* vmm, UniqueFd process)
{
    GuestSettings settings;
    settings.keep = true;  // the bangerd before us may have configured it
    if (vm->record.network == "tap" && !vm->record.address.empty()) {
        settings.network = tap_network(vm->record.address);
        settings.network.dns = ports_.resolvers();
    } else if (!vm->record.address.empty()) {
        settings.network = ports_.user_network.describe(vm->record.id, vm->record.address);
    }
    if (vm->record.spec.home == HomePlace::WorkDisk) {  // as launch() does; a guest that still boots takes them
        settings.authorized_keys = co_await ports_.authorized_keys();
    }
    apply(vm, VmEvent::FoundRunning, "taken over");
    adopt(vm, *vmm, std::move(process), std::move(settings));
}

std::string VmRunner::end_of_logs(const VmPtr& vm)
{
    const auto vmm = tail_of_log(vmm_log_in(vm->folder));
    const auto console = tail_of_log(vm->folder / vm_folder::console_log);
    return !vmm.empty() ? with_denial_hint(vmm) : (!console.empty() ? console : "its logs are empty");
}

}  // namespace banger::agent
