// SPDX-License-Identifier: GPL-2.0-or-later
// The part of VmManager that changes what a VM has, between two of its runs.
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_limits.hpp"
#include "agent/core/vm/vm_manager.hpp"

namespace banger::agent {

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
    if (change.disk && *change.disk < spec.disk) {
        throw Error{ErrorCode::InvalidArgument, "the disk of " + vm->name() + " has " + spec.disk.to_string() +
                                                    " and can't shrink to " + change.disk->to_string() +
                                                    "; a new VM may have a smaller one"};
    }
    const auto state = vm->record.state;
    if (vm->running || (state != VmState::Stopped && state != VmState::Failed)) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(state)} +
                                               ", and changes wait for a stopped VM; banger vm stop " + vm->name() +
                                               " stops it"};
    }
}

Task<void> VmManager::change(VmPtr vm, OperationPtr operation, VmChange change)
{
    const auto guard = co_await vm->lifecycle.lock();
    check_change(vm, change);
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
    vm->record.spec = spec;
    std::exception_ptr failure;
    try {
        co_await runner_.save(vm);
        auto describe = [folder = vm->folder, description = to_json(spec)] { write_description(folder, description); };
        co_await run_on(ports_.loop, ports_.work_lane, std::move(describe));
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        vm->record.spec = before;  // a disk that has grown has; asked for again, it is a change of the row alone
        co_await runner_.note(vm);
        std::rethrow_exception(failure);
    }
    observer_.changed(vm);
}

}  // namespace banger::agent
