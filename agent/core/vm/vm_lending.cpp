// SPDX-License-Identifier: GPL-2.0-or-later
// The part of VmManager that lends a VM's root disk, so that it becomes an image.
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_manager.hpp"

namespace banger::agent {

void VmManager::check_lendable(const VmPtr& vm, StopFirst stop)
{
    const auto state = vm->record.state;
    if (vm->removed || state == VmState::Creating || state == VmState::Deleting) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(state)}};
    }
    if (stop == StopFirst::No && (vm->running || state == VmState::Starting)) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(state)} +
                                               ", and its disk is read while it is stopped; banger vm stop " +
                                               vm->name() + " stops it"};
    }
}

Task<bool> VmManager::lend_root(VmPtr vm, OperationPtr operation, StopFirst stop, RootUse use)
{
    check_lendable(vm, stop);
    const auto guard = co_await vm->lifecycle.lock();
    co_await take_over_missed(vm);
    check_lendable(vm, stop);  // it may have changed while we waited
    co_await runner_.check_alone(vm);
    bool clean = true;
    std::exception_ptr failure;
    try {
        if (vm->running) {
            operation->set_stage("shutting down");
            clean = co_await stop_to_lend(vm);
        }
        operation->check_cancelled();
        co_await use_root(vm, operation, std::move(use));
    } catch (...) {
        failure = std::current_exception();
    }
    const bool goes = vm->record.spec.on_stop == StopPolicy::Remove;
    const bool is_lost = vm->lease && !vm->lease_source;  // nobody is there any more to want it
    if (!failure || is_lost || !goes || to_error(failure).code() == ErrorCode::Cancelled) {
        if (goes && !vm->running) {
            remove_later(vm);
        }
        if (failure) {
            std::rethrow_exception(failure);
        }
        co_return clean;
    }
    co_await keep_unlent(vm);
    const auto error = to_error(failure);
    throw Error{error.code(), std::string{error.what()} + "; " + vm->name() + " is kept: banger image promote " +
                                  vm->name() + " --name NAME tries again, banger vm delete -f " + vm->name() +
                                  " drops it"};
}

/// As for a restart: an end that is not the VM's own. But no start follows.
Task<bool> VmManager::stop_to_lend(VmPtr vm)
{
    vm->reboot_wanted = false;
    vm->restarting = true;
    bool clean = false;
    std::exception_ptr failure;
    try {
        clean = co_await runner_.stop(vm, lend_stop_limit);
    } catch (...) {
        failure = std::current_exception();
    }
    vm->restarting = false;
    if (failure) {
        std::rethrow_exception(failure);
    }
    co_await drop_forwards(vm);
    co_await VmSandboxes::settled(vm);
    co_return clean;
}

/// A dm-snapshot is there while its sandbox runs.
Task<void> VmManager::use_root(VmPtr vm, OperationPtr operation, RootUse use)
{
    auto path = vm->folder / vm_folder::root_disk;
    if (vm->record.spec.storage != StorageChoice::DmSnapshot) {
        co_await use(std::move(path));
        co_return;
    }
    std::exception_ptr failure;
    try {
        co_await sandboxes_.start(vm, operation);
        co_await use(std::move(path));
    } catch (...) {
        failure = std::current_exception();
    }
    sandboxes_.stop(vm);
    co_await VmSandboxes::settled(vm);
    if (failure) {
        std::rethrow_exception(failure);
    }
}

/// From now on it stays until somebody deletes it. What can't be written is only logged: the disk may be full, and that is why we are here.
Task<void> VmManager::keep_unlent(VmPtr vm)
{
    vm->lease_source.reset();
    vm->lease.reset();
    vm->record.spec.on_stop = StopPolicy::Keep;
    co_await runner_.note(vm);
    std::optional<Error> problem;
    try {
        auto describe = [folder = vm->folder, description = to_json(vm->record.spec)] {
            write_description(folder, description);
        };
        co_await run_on(ports_.loop, ports_.work_lane, std::move(describe));
    } catch (...) {
        problem = to_error(std::current_exception());
    }
    if (problem) {
        observer_.log(std::string{"its description can't be written: "} + problem->what(), vm);
    }
    observer_.changed(vm);
}

}  // namespace banger::agent
