// SPDX-License-Identifier: GPL-2.0-or-later
// The part of VmManager that changes what a VM has, between two of its runs.
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_limits.hpp"
#include "agent/core/vm/vm_manager.hpp"

namespace banger::agent {
namespace {

void check_growth(const VmPtr& vm, ByteSize overlay)
{
    const auto& spec = vm->record.spec;
    if (spec.storage != StorageChoice::DmSnapshot) {
        throw Error{ErrorCode::InvalidArgument,
                    "the root disk of " + vm->name() + " is a file, which may grow as far as the host's disk goes"};
    }
    if (overlay < spec.overlay) {
        throw Error{ErrorCode::InvalidArgument, "the system overlay of " + vm->name() + " may come to " +
                                                    spec.overlay.to_string() + " and can't be held to " +
                                                    overlay.to_string() + "; a new VM may have a smaller one"};
    }
}

void check_nat(const VmPtr& vm, Nat nat)
{
    const auto network = vm->record.spec.network;
    if (nat == Nat::Off) {
        return;
    }
    if (network == NetworkChoice::User || network == NetworkChoice::None) {
        throw Error{ErrorCode::InvalidArgument, vm->name() + " was made with the network " +
                                                    std::string{to_string(network)} + ", and NAT goes with a TAP"};
    }
    if (vm->running && vm->record.network != "tap") {
        throw Error{ErrorCode::WrongState, vm->name() + " runs with the network " + vm->record.network +
                                               ", and NAT goes with a TAP; banger vm stop " + vm->name() +
                                               ", then set it"};
    }
}

bool needs_stopped(const VmChange& change) { return change.vcpus || change.memory_mib || change.disk; }

}  // namespace

void VmManager::check_change(const VmPtr& vm, const VmChange& change) const
{
    const auto& spec = vm->record.spec;
    if (change.vcpus) {
        check_vcpus(*change.vcpus, host_cpus_);
    }
    if (change.memory_mib) {
        check_memory(*change.memory_mib);
    }
    if (change.disk) {
        check_disk(*change.disk);
    }
    if (change.overlay) {
        check_overlay(*change.overlay);
        check_growth(vm, *change.overlay);
    }
    if (change.nat) {
        check_nat(vm, *change.nat);
    }
    if (change.disk && *change.disk < spec.disk) {
        throw Error{ErrorCode::InvalidArgument, "the disk of " + vm->name() + " has " + spec.disk.to_string() +
                                                    " and can't shrink to " + change.disk->to_string() +
                                                    "; a new VM may have a smaller one"};
    }
    if (change.autostart == Autostart::On && spec.on_stop == StopPolicy::Remove) {
        throw Error{ErrorCode::InvalidArgument,
                    vm->name() + " is deleted when it stops, so there is nothing to start with the machine"};
    }
    const auto state = vm->record.state;
    if (state == VmState::Creating || state == VmState::Deleting) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(state)}};
    }
    if (needs_stopped(change) && (vm->running || (state != VmState::Stopped && state != VmState::Failed))) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(state)} +
                                               ", and changes wait for a stopped VM; banger vm stop " + vm->name() +
                                               " stops it"};
    }
}

Task<void> VmManager::change(VmPtr vm, OperationPtr operation, VmChange change)
{
    const auto guard = co_await vm->lifecycle.lock();
    co_await take_over_missed(vm);
    check_change(vm, change);
    if (needs_stopped(change)) {
        co_await runner_.check_alone(vm);
    }
    auto spec = vm->record.spec;
    spec.vcpus = change.vcpus.value_or(spec.vcpus);
    spec.memory_mib = change.memory_mib.value_or(spec.memory_mib);
    spec.disk = change.disk.value_or(spec.disk);
    if (spec.disk != vm->record.spec.disk) {
        operation->set_stage("growing the disk");
        auto grow = [&disks = ports_.disks, folder = vm->folder, size = spec.disk, stop = operation->stop_token()] {
            disks.grow_work(folder, size, stop);
        };
        co_await run_on(ports_.loop, ports_.work_lane, std::move(grow));
    }
    const auto before = vm->record.spec;
    spec.overlay = change.overlay.value_or(spec.overlay);
    spec.nat = change.nat.value_or(spec.nat);
    spec.autostart = change.autostart.value_or(spec.autostart);
    if (change.nat == Nat::On) {
        spec.network = NetworkChoice::Tap;  // of a VM that had it left open
    }
    std::exception_ptr failure;
    try {
        co_await change_sandbox(vm, operation, spec);
        vm->record.spec = spec;
        co_await runner_.save(vm);
        auto describe = [folder = vm->folder, description = to_json(spec)] { write_description(folder, description); };
        co_await run_on(ports_.loop, ports_.work_lane, std::move(describe));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        vm->record.spec =
            before;  // a disk, or what the broker was told, that has grown has; asked for again, it is a change of the row alone
        co_await runner_.note(vm);
        std::rethrow_exception(failure);
    }
    observer_.changed(vm);
}

/// What of a change the broker has to do: before the row says so, as it may ask the user, and refuse.
Task<void> VmManager::change_sandbox(VmPtr vm, OperationPtr operation, VmSpec spec)
{
    if (spec.overlay != vm->record.spec.overlay) {
        co_await sandboxes_.grow(vm, operation, spec.overlay);
    }
    if (spec.nat == vm->record.spec.nat) {
        co_return;
    }
    const auto before = std::exchange(vm->record.spec, spec);
    std::exception_ptr failure;
    try {
        co_await sandboxes_.tell_nat(vm, operation);
    } catch (...) {
        failure = std::current_exception();
    }
    vm->record.spec = before;
    if (failure) {
        std::rethrow_exception(failure);
    }
}

}  // namespace banger::agent
