// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_manager.hpp"

#include <algorithm>
#include <utility>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "common/nearest.hpp"

namespace banger::agent {

VmManager::VmManager(const VmPorts& ports, std::filesystem::path vms_folder, std::uint32_t host_cpus,
                     VmObserver observer)
    : ports_{ports},
      vms_folder_{std::move(vms_folder)},
      host_cpus_{host_cpus},
      names_{ports.host_names},
      observer_{names_.before(std::move(observer))},
      sandboxes_{ports, {observer_, [this] { return list(); }, vms_folder_}},
      forwards_{ports.open_tcp_port, observer_.log},
      runner_{ports,
              sandboxes_,
              {.observer = observer_,
               .ended = [this](const VmPtr& vm, VmRunner::Hooks::End end) { on_ended(vm, end); },
               .up = [this](const VmPtr& vm) { forwards_.reopen(vm); },
               .ready_unattended =
                   [this](const VmPtr& vm) {
                       spawn(welcome_late(vm), logged(vm, "its guest did not get the user's files"));
                   }}}
{
}

VmPtr VmManager::add(VmRecord record)
{
    auto folder = vms_folder_ / record.id.str();
    auto vm = std::make_shared<Vm>(std::move(record), std::move(folder));
    by_name_.emplace(vm->name(), vm);
    observer_.added(vm);
    return vm;
}

std::vector<VmPtr> VmManager::list() const
{
    std::vector<VmPtr> vms;
    vms.reserve(by_name_.size());
    for (const auto& [name, vm] : by_name_) {
        vms.push_back(vm);
    }
    return vms;
}

VmPtr VmManager::find(std::string_view name_or_id) const
{
    if (const auto at = by_name_.find(name_or_id); at != by_name_.end()) {
        return at->second;
    }
    for (const auto& [name, vm] : by_name_) {
        if (vm->record.id.str() == name_or_id) {
            return vm;
        }
    }
    return nullptr;
}

VmPtr VmManager::get(std::string_view name_or_id) const
{
    if (auto vm = find(name_or_id)) {
        return vm;
    }
    std::vector<std::string_view> known;
    for (const auto& [name, vm] : by_name_) {
        known.push_back(name);
    }
    const auto near = nearest(name_or_id, known);
    // Through the parser, so that what is shown back is short and printable.
    const auto name = VmName::parse(name_or_id);
    throw Error{ErrorCode::NotFound,
                "there is no VM \"" + name.str() + "\"" +
                    (near ? "; did you mean " + std::string{*near} + "?" : "; banger vm list shows all")};
}

std::size_t VmManager::running_count() const noexcept
{
    std::size_t count = 0;
    for (const auto& [name, vm] : by_name_) {
        count += vm->running ? 1 : 0;
    }
    return count;
}

Task<void> VmManager::start(VmPtr vm, OperationPtr operation, std::chrono::milliseconds ready_limit)
{
    const auto guard = co_await vm->lifecycle.lock();
    co_await take_over_missed(vm);
    if (vm->running && vm->record.state == VmState::Running) {
        co_return;
    }
    co_await runner_.check_alone(vm);
    co_await bring_up(vm, operation, ready_limit);
}

/// Until the guest is ready and has what each new one gets.
Task<void> VmManager::bring_up(VmPtr vm, OperationPtr operation, std::chrono::milliseconds ready_limit)
{
    co_await runner_.start(vm, operation, ready_limit);
    co_await welcome(vm, operation);
}

/// Once in a VM's life; one that fails is tried again at the next start.
Task<void> VmManager::welcome(VmPtr vm, OperationPtr operation)
{
    auto look = [folder = vm->folder] {
        end_first_boot(folder);  // VmRunner's may be still to come: the lane has several threads
        return std::filesystem::exists(folder / vm_folder::unwelcomed);
    };
    if (!co_await run_on(ports_.loop, ports_.work_lane, std::move(look))) {
        co_return;
    }
    if (vm->record.spec.home == HomePlace::WorkDisk) {
        co_await ports_.welcome(vm, operation);
    }
    auto forget = [mark = vm->folder / vm_folder::unwelcomed] { std::filesystem::remove(mark); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(forget));
}

/// Of a guest that got ready when its start had given up, or gone with its bangerd.
Task<void> VmManager::welcome_late(VmPtr vm)
{
    const auto guard = co_await vm->lifecycle.lock();
    if (vm->ready()) {
        const auto operation = std::make_shared<Operation>(0, "start", vm->name());
        co_await welcome(vm, operation);
    }
}

/// For stop and restart: what can't be stopped says so before anything waits.
void VmManager::check_stoppable(const VmPtr& vm)
{
    if (vm->removed || vm->record.state == VmState::Creating || vm->record.state == VmState::Deleting) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(vm->record.state)} +
                                               "; banger vm delete -f " + vm->name() + " gives it up"};
    }
}

Task<void> VmManager::stop(VmPtr vm, OperationPtr operation, std::chrono::milliseconds limit)
{
    check_stoppable(vm);
    VmRunner::give_way(vm);
    const auto guard = co_await vm->lifecycle.lock();
    vm->reboot_wanted = false;
    co_await take_over_missed(vm);
    co_await runner_.check_alone(vm);
    operation->set_stage("shutting down");
    const bool clean = co_await runner_.stop(vm, limit);
    co_await drop_forwards(vm);
    co_await VmSandboxes::settled(vm);
    operation->result()["clean"] = clean;
}

/// An end that a start was to follow left them in the row.
Task<void> VmManager::drop_forwards(VmPtr vm)
{
    if (!vm->running && !vm->removed && !vm->record.forwards.empty()) {
        vm->record.forwards.clear();
        co_await runner_.note(vm);
    }
}

Task<void> VmManager::restart(VmPtr vm, OperationPtr operation, std::chrono::milliseconds limit)
{
    check_stoppable(vm);
    VmRunner::give_way(vm);
    const auto guard = co_await vm->lifecycle.lock();
    co_await take_over_missed(vm);
    co_await runner_.check_alone(vm);
    operation->set_stage("shutting down");
    vm->restarting = true;
    const bool was_leased = static_cast<bool>(vm->lease_source);
    bool clean = false;
    std::exception_ptr failure;
    try {
        clean = co_await runner_.stop(vm, limit);
    } catch (...) {
        failure = std::current_exception();
    }
    vm->restarting = false;
    if (failure) {
        std::rethrow_exception(failure);
    }
    operation->result()["clean"] = clean;
    if (was_leased && !vm->lease_source) {
        co_await drop_forwards(vm);
        throw Error{ErrorCode::Cancelled, "the lease of " + vm->name() + " has ended"};
    }
    co_await bring_up(vm, operation, default_ready_limit);
}

void VmManager::check_removable(const VmPtr& vm, Force force) const
{
    if (force == Force::Yes) {
        return;
    }
    const auto state = vm->record.state;
    const bool at_rest = state == VmState::Stopped || state == VmState::Failed || state == VmState::Deleting;
    std::string busy;
    if (vm->reboot_wanted) {
        busy = "is rebooting";  // which nobody who deletes what is stopped has in mind
    } else if (vm->running || !at_rest) {
        busy = "is " + std::string{to_string(state)};
    } else if (ports_.open_process(vm->record.process)) {
        busy = "has a VMM that runs as PID " + std::to_string(vm->record.process.pid);
    }
    if (!busy.empty()) {
        throw Error{ErrorCode::WrongState, vm->name() + " " + busy + "; stop it first, or delete it with -f"};
    }
}

Task<void> VmManager::remove(VmPtr vm, OperationPtr operation, Force force)
{
    check_removable(vm, force);
    if (vm->making) {
        vm->making->cancel();
    }
    VmRunner::give_way(vm);
    const auto guard = co_await vm->lifecycle.lock();
    if (vm->removed) {
        co_return;
    }
    check_removable(vm, force);
    vm->reboot_wanted = false;
    runner_.apply(vm, VmEvent::DeleteRequested, "deleted");
    co_await runner_.note(vm);  // a full disk must not stop what makes room
    operation->set_stage("ending the VMM");
    co_await runner_.end(vm);
    operation->set_stage("removing the files");
    co_await discard(vm);
}

GuestLink& VmManager::link(const VmPtr& vm)
{
    if (!vm->running || !vm->running->link) {
        throw Error{ErrorCode::WrongState, vm->name() + " is " + std::string{to_string(vm->record.state)} +
                                               ", not running; banger vm start " + vm->name() + " starts it"};
    }
    return *vm->running->link;
}

void VmManager::tell_time() const
{
    for (const auto& [name, vm] : by_name_) {
        if (vm->running && vm->running->link) {
            vm->running->link->tell_time();
        }
    }
}

Task<Forward> VmManager::open_forward(VmPtr vm, Forward wish)
{
    auto forward = forwards_.open(vm, std::move(wish));
    std::exception_ptr failure;
    try {
        co_await runner_.save(vm);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        try {
            VmForwards::close(vm, forward.address, forward.port);
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the VM has ended meanwhile
        }
        std::rethrow_exception(failure);
    }
    co_return forward;
}

Task<void> VmManager::close_forward(VmPtr vm, std::string address, std::uint16_t port)
{
    VmForwards::close(vm, address, port);
    co_await runner_.note(vm);  // closed it is; a row that can't be written is logged
}

void VmManager::on_ended(const VmPtr& vm, VmRunner::Hooks::End end)
{
    if (end == VmRunner::Hooks::End::Reboot && vm->reboot_wanted) {
        spawn(come_back(vm), logged(vm, "the guest's reboot failed"));
    } else if (vm->record.state == VmState::Deleting) {
        if (!vm->lifecycle.is_locked()) {
            remove_later(vm);  // its delete gave up on a VMM that has ended only now
        }
    } else if (vm->record.spec.on_stop == StopPolicy::Remove && !vm->restarting) {
        remove_later(vm);
    }
}

/// After a reboot in the guest, unless somebody stopped the VM meanwhile.
Task<void> VmManager::come_back(VmPtr vm)
{
    const auto guard = co_await vm->lifecycle.lock();
    if (vm->reboot_wanted && !vm->removed) {
        const auto operation = std::make_shared<Operation>(0, "start", vm->name());
        co_await bring_up(vm, operation, default_ready_limit);
    }
}

void VmManager::remove_later(const VmPtr& vm)
{
    const auto operation = std::make_shared<Operation>(0, "delete", vm->name());
    spawn(remove(vm, operation, Force::Yes), logged(vm, "can't be removed"));
}

std::function<void(std::exception_ptr)> VmManager::logged(const VmPtr& vm, const std::string& what)
{
    return [this, vm, what](std::exception_ptr failure) {
        if (failure) {
            observer_.log(what + ": " + to_error(failure).what(), vm);
        }
    };
}

/// The other end of a lease closes when its client goes, however it goes.
void VmManager::watch_lease(const VmPtr& vm)
{
    if (!vm->lease) {
        return;
    }
    vm->lease_source =
        ports_.loop.on_io(vm->lease.get(), EventLoop::readable, [this, weak = std::weak_ptr{vm}](std::uint32_t) {
            if (const auto alive = weak.lock()) {
                alive->lease_source.reset();
                on_lease_end(alive);
            }
        });
}

void VmManager::on_lease_end(const VmPtr& vm)
{
    if (vm->record.spec.on_stop == StopPolicy::Remove) {
        remove_later(vm);
    } else if (vm->making) {
        vm->making->cancel();
    } else if (vm->running) {
        spawn(runner_.end(vm), logged(vm, "can't be ended"));
    } else {  // it starts, or rebooted just now
        vm->reboot_wanted = false;
        VmRunner::give_way(vm);
        spawn(drop_forwards(vm), logged(vm, "its forwards stay"));
    }
}

void VmManager::housekeep()
{
    for (const auto& [name, vm] : by_name_) {
        if (vm->running && vm->running->control) {
            look_after(vm);
        }
    }
    look_at_room();
    trim_logs();
    sandboxes_.housekeep();
}

/// Disks are sparse and grow without a word: who is told before the last of the room has gone can still make some.
void VmManager::look_at_room()
{
    constexpr auto little = 1 * gib;
    constexpr auto enough = 2 * gib;
    const bool any_runs =
        std::any_of(by_name_.begin(), by_name_.end(), [](const auto& row) { return row.second->running != nullptr; });
    if (!any_runs) {
        return;
    }
    const ByteSize free{ports_.disks.free_bytes(vms_folder_)};
    if (free >= enough) {
        has_little_room_ = false;
    } else if (free < little && !std::exchange(has_little_room_, true) && observer_.little_room) {
        observer_.little_room(free);
    }
}

/// A guest whose VMM stopped it for want of space has lost nothing, and goes on once there is room.
void VmManager::look_after(const VmPtr& vm)
{
    constexpr auto room = 64 * mib;  // less, and it would stop again at once
    auto& control = *vm->running->control;
    const bool is_stuck = control.is_stuck();
    if (is_stuck && ports_.disks.free_bytes(vm->folder) >= room.bytes()) {
        control.go_on();
        if (vm->running->link) {
            vm->running->link->tell_time();  // its clock stood still as well
        }
        vm->record.reason.clear();
    } else if (is_stuck && vm->record.reason != reason_host_full) {
        vm->record.reason = reason_host_full;
        observer_.log(vm->record.reason, vm);
    } else {
        return;
    }
    observer_.changed(vm);
}

void VmManager::trim_logs()
{
    std::vector<std::filesystem::path> logs;
    for (const auto& [name, vm] : by_name_) {
        if (vm->running) {
            logs.push_back(vm->folder / vm_folder::console_log);
            logs.push_back(vmm_log_in(vm->folder));
            logs.push_back(vm->folder / vm_folder::firecracker_metrics);
        }
    }
    if (!logs.empty()) {
        // A full lane means much to do; the next round trims.
        [[maybe_unused]] const bool taken = ports_.work_lane.submit([logs = std::move(logs)] {
            for (const auto& log : logs) {
                truncate_log(log);
            }
        });
    }
}

}  // namespace banger::agent
