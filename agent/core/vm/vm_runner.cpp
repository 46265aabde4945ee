// SPDX-License-Identifier: GPL-2.0-or-later
// The half of VmRunner that brings VMMs up and down. vm_watch.cpp has what happens in between.
#include "agent/core/vm/vm_runner.hpp"

#include <csignal>

#include "agent/core/vm/kernel_arguments.hpp"
#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

/// Waits for the VMM's end; false when it is late.
Task<bool> wait_for_end(EventLoop& loop, Event ended, milliseconds limit)
{
    try {
        co_await ended.wait(loop, limit, Error{ErrorCode::TimedOut, "the VMM is still there"});
    } catch (const Error&) {
        co_return false;
    }
    co_return true;
}

Error unended(const VmPtr& vm)
{
    return Error{ErrorCode::TimedOut, "the VMM of " + vm->name() + " can't be ended; it may hang in the kernel"};
}

void check_wanted(const VmPtr& vm, const OperationPtr& operation)
{
    operation->check_cancelled();
    if (vm->give_up) {
        throw Error{ErrorCode::Cancelled, "the start of " + vm->name() + " was cancelled"};
    }
}

}  // namespace

void VmRunner::apply(const VmPtr& vm, VmEvent event, const char* wish)
{
    const auto next = next_state(vm->record.state, event);
    if (!next) {
        throw Error{ErrorCode::WrongState,
                    vm->name() + " is " + std::string{to_string(vm->record.state)} + ", so it can't be " + wish};
    }
    vm->record.state = *next;
    hooks_.observer.changed(vm);
}

Task<void> VmRunner::save(VmPtr vm)
{
    auto& store = ports_.store;
    auto update = [&store, row = vm->record] { store.update(row); };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(update));
}

Task<void> VmRunner::note(VmPtr vm)
{
    std::optional<Error> failure;
    try {
        co_await save(vm);
    } catch (...) {
        failure = to_error(std::current_exception());
    }
    if (failure) {
        hooks_.observer.log(std::string{"can't write the row: "} + failure->what(), vm);
    }
}

/// Two VMMs would ruin one disk, and so would who changes or copies it under one.
Task<void> VmRunner::check_alone(VmPtr vm)
{
    if (vm->running) {
        co_return;  // watched it is
    }
    const auto process = co_await ports_.processes.find(vm->record.id, "vmm", vm->folder, vm->record.process);
    if (ports_.open_process(process)) {
        throw Error{ErrorCode::WrongState, "the VMM of " + vm->name() + " still runs as PID " +
                                               std::to_string(process.pid) +
                                               ", and banger can't speak to it; end that process first"};
    }
}

Task<void> VmRunner::start(VmPtr vm, OperationPtr operation, milliseconds ready_limit)
{
    apply(vm, VmEvent::StartRequested, "started");
    vm->give_up = false;
    vm->reboot_wanted = false;
    vm->record.reason.clear();
    vm->record.process = {};
    std::exception_ptr failure;
    try {
        const auto saved = begin_task(save(vm));
        co_await refresh_links(vm);
        co_await saved.wait();
        co_await launch(vm, operation);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        co_await undo_launch(vm, failure);
        std::rethrow_exception(failure);
    }
    co_await await_ready(vm, operation, ready_limit);
}

/// Leaves nothing running of a launch that failed at some step.
Task<void> VmRunner::undo_launch(VmPtr vm, std::exception_ptr failure)
{
    const auto error = to_error(failure);
    const bool cancelled = error.code() == ErrorCode::Cancelled;
    vm->record.reason = cancelled ? "" : error.what();
    apply(vm, cancelled ? VmEvent::VmmEnded : VmEvent::StartFailed, "started");
    std::optional<Error> problem;
    try {
        co_await end_what_runs(vm);
    } catch (...) {
        problem = to_error(std::current_exception());
    }
    if (problem) {
        hooks_.observer.log(problem->what(), vm);
    }
    ports_.user_network.stop(vm->folder);
    sandboxes_->stop(vm);
    forget_run(vm);
    co_await note(vm);
}

/// A VMM may run though its start failed: it was asked for, and then nobody told which process it is.
Task<void> VmRunner::end_what_runs(VmPtr vm)
{
    if (!vm->running && !vm->record.process) {
        vm->record.process = co_await ports_.processes.find(vm->record.id, "vmm", vm->folder, vm->record.process);
    }
    co_await end(vm);
}

Task<void> VmRunner::refresh_links(VmPtr vm)
{
    const auto kernel = ports_.kernels.find(vm->record.spec.kernel_digest.str());
    if (!kernel) {
        throw Error{ErrorCode::NotFound, "the kernel of " + vm->name() +
                                             " is gone from the cache; banger kernel import --name " +
                                             vm->record.spec.kernel + " brings one"};
    }
    auto make_links = [folder = vm->folder, from = kernel->folder] {
        const auto link = [&](const char* name, const char* target) {
            std::filesystem::remove(folder / name);
            std::filesystem::create_symlink(from / target, folder / name);
        };
        link(vm_folder::kernel, artifact_file::kernel);
        link(vm_folder::initrd, artifact_file::initrd);
        link(vm_folder::modules_disk, artifact_file::modules);
        remove_leftover_files(folder);
        rotate_log(folder / vm_folder::console_log);
        return std::filesystem::exists(folder / vm_folder::fresh);
    };
    vm->first_boot = co_await run_on(ports_.loop, ports_.work_lane, std::move(make_links));
}

Task<GuestNetwork> VmRunner::start_network(VmPtr vm, OperationPtr operation, const Vmm& vmm)
{
    const auto choice = vm->record.spec.network;
    if (choice == NetworkChoice::None) {
        co_return GuestNetwork{.kind = "none"};
    }
    operation->set_stage("connecting the network");
    std::optional<Error> lack;
    try {
        NetworkRequest request{vm->record.id, vm->folder, vm->record.spec.loopback, vmm.network_kind()};
        co_return co_await ports_.user_network.start(std::move(request));
    } catch (const Error& error) {
        if (choice != NetworkChoice::Auto) {
            throw;
        }
        lack = error;
    }
    // Said, not silent: it stands in `vm show` and the log.
    vm->record.reason = std::string{"no network: "} + lack->what();
    hooks_.observer.log(vm->record.reason, vm);
    co_return GuestNetwork{.kind = "none"};
}

Task<void> VmRunner::launch(VmPtr vm, OperationPtr operation)
{
    operation->set_stage("choosing a VMM");
    const auto kernel = ports_.kernels.find(vm->record.spec.kernel_digest.str());
    if (!kernel) {
        throw Error{ErrorCode::NotFound, "the kernel of " + vm->name() + " was deleted just now"};
    }
    auto tap = co_await sandboxes_->start(vm, operation);
    auto spec = vm->record.spec;
    if (tap) {
        spec.network = NetworkChoice::Tap;  // each VMM takes that one
    }
    const auto [vmm, lack] = co_await ports_.ladder.choose(std::move(spec), *kernel);
    check_wanted(vm, operation);
    GuestSettings settings;
    if (tap) {
        settings.network = std::move(*tap);
    } else {
        settings.network = co_await start_network(vm, operation, *vmm);
    }
    if (vm->record.spec.home == HomePlace::WorkDisk) {  // else they would be in an image
        settings.authorized_keys = co_await ports_.authorized_keys();
    }
    check_wanted(vm, operation);

    operation->set_stage("starting " + std::string{vmm->name()} + (lack.empty() ? "" : " (" + lack + ")"));
    vm->record.vmm = vmm->name();
    vm->record.network = settings.network.kind;
    vm->record.address = settings.network.address;
    vm->record.started = ports_.now();
    co_await save_with_notes(vm);
    const auto config = vmm_config(vm, *vmm, settings.network.vmm);
    vm->record.process = co_await start_vmm(vm, vmm, config);
    auto process = ports_.open_process(vm->record.process);
    if (!process) {
        throw Error{ErrorCode::Failed, "the VMM ended at once: " + end_of_logs(vm)};
    }
    co_await boot(vm, operation, *vmm, config, process);
    adopt(vm, *vmm, std::move(process), std::move(settings));
    if (vm->record.network == "tap") {
        sandboxes_->align();  // while the guest boots: the host learns its name
    }
}

/// A VMM may take its time, and hears nothing but us: whoever wants no start any more kills it, which ends its boot().
Task<void> VmRunner::boot(VmPtr vm, OperationPtr operation, const Vmm& vmm, VmmConfig config, const UniqueFd& process)
{
    check_wanted(vm, operation);
    vm->end_boot = [this, &process] { ports_.send_signal(process, SIGKILL); };
    operation->on_cancel(vm->end_boot);
    std::exception_ptr failure;
    try {
        co_await vmm.boot(ports_.loop, vm->folder, std::move(config), process.get());
    } catch (...) {
        failure = std::current_exception();
    }
    operation->on_cancel({});
    vm->end_boot = {};
    check_wanted(vm, operation);  // before what the VMM said as it was killed
    if (failure) {
        std::rethrow_exception(failure);
    }
}

VmmConfig VmRunner::vmm_config(const VmPtr& vm, const Vmm& vmm, const VmmNetwork& network)
{
    return {.name = vm->name(),
            .vcpus = vm->record.spec.vcpus,
            .memory_mib = vm->record.spec.memory_mib,
            .kernel_arguments =
                kernel_arguments(vm->name()) + vmm.kernel_arguments() +
                kernel_arguments_of_boot(vm->first_boot ? BootKind::First : BootKind::Later, vm->record.spec.home),
            .disks = VmmConfig::Disks::All,
            .network = network,
            .rates = vm->record.spec.rates};
}

Task<void> VmRunner::write_notes(VmPtr vm)
{
    auto write = [folder = vm->folder, row = vm->record] { write_run_notes(folder, row); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(write));
}

/// The row and the notes, each of which waits for the disk, beside each other. Both have ended then: who gives up next removes the folder.
Task<void> VmRunner::save_with_notes(VmPtr vm)
{
    const auto noted = begin_task(write_notes(vm));
    std::exception_ptr failure;
    try {
        co_await save(vm);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await noted.wait();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

Task<ProcessId> VmRunner::start_vmm(VmPtr vm, const Vmm* vmm, VmmConfig config)
{
    auto streams = vmm->prepare(vm->folder);
    ProcessSpec spec{.vm = vm->record.id,
                     .role = "vmm",
                     .argv = vmm->command(config),
                     .directory = vm->folder,
                     .standard_input = std::move(streams.input),
                     .standard_output = std::move(streams.output),
                     .log = vm->folder / streams.error_log};
    co_return co_await ports_.processes.start(std::move(spec));
}

Task<void> VmRunner::await_ready(VmPtr vm, OperationPtr operation, milliseconds limit)
{
    operation->set_stage("booting");
    const auto started = vm->running->started;
    const auto ended = vm->running->ended;
    operation->on_cancel([started] { started.set(StartOutcome::Cancelled); });
    if (operation->stop_token().stop_requested() || vm->give_up) {
        started.set(StartOutcome::Cancelled);
    }
    co_await note(vm);  // from here on the VMM may end at any time, and vm->running with it
    std::optional<StartOutcome> outcome;
    try {
        outcome = co_await started.wait(ports_.loop, limit, Error{ErrorCode::TimedOut, ""});
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): no outcome means late
    }
    operation->on_cancel({});
    if (outcome == StartOutcome::Ready) {
        co_await note(vm);
        co_return;
    }
    if (outcome == StartOutcome::Cancelled) {
        co_await end(vm);
        throw Error{ErrorCode::Cancelled, "the start of " + vm->name() + " was cancelled"};
    }
    if (outcome == StartOutcome::VmmEnded) {
        co_await ended.wait();
        throw Error{ErrorCode::Failed, vm->name() + " did not come up: " +
                                           (vm->record.reason.empty() ? "it was shut down" : vm->record.reason)};
    }
    if (!vm->running) {  // it ended at this very moment
        co_await ended.wait();
        throw Error{ErrorCode::Failed, vm->name() + " did not come up: " + vm->record.reason};
    }
    vm->running->late = true;
    vm->running->unattended = true;
    const auto late = "the guest did not get ready in " + std::to_string(limit.count() / 1000) + " s";
    vm->record.reason = late;
    apply(vm, VmEvent::ReadyLate, "started");
    const auto console = end_of_logs(vm);
    co_await note(vm);
    throw Error{ErrorCode::TimedOut, late + "; the VM is left running for a look, banger vm logs " + vm->name() +
                                         " shows its console, which ends with:\n" + console};
}

Task<bool> VmRunner::stop(VmPtr vm, milliseconds limit)
{
    if (!vm->running) {
        co_return true;
    }
    apply(vm, VmEvent::StopRequested, "stopped");
    if (!vm->restarting) {
        spawn(note(vm));  // so that the end is wanted, whichever bangerd sees it
    }
    const auto ended = vm->running->ended;
    const auto begin = std::chrono::steady_clock::now();
    bool heard = false;
    try {
        co_await vm->running->link->shut_down(std::min(limit, ports_.limits.shutdown_heard));
        heard = true;
    } catch (const Error& error) {
        hooks_.observer.log(std::string{"the guest does not hear the shutdown: "} + error.what(), vm);
    }
    const auto spent = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    // A guest that can't hear won't shut down either; only an ended VMM would be waited for in vain.
    const auto rest = heard ? std::max(limit - spent, milliseconds{1}) : milliseconds{1};
    const bool clean = co_await wait_for_end(ports_.loop, ended, rest);
    if (!clean) {
        co_await end(vm);
    }
    co_return clean&& heard;
}

Task<void> VmRunner::end_unwatched(VmPtr vm)
{
    const auto process = ports_.open_process(vm->record.process);
    if (!process) {
        co_return;
    }
    const Event ended;
    const auto watch = ports_.loop.on_io(process.get(), EventLoop::readable, [ended](std::uint32_t) { ended.set(); });
    ports_.send_signal(process, SIGKILL);
    if (!co_await wait_for_end(ports_.loop, ended, ports_.limits.kill)) {
        throw unended(vm);
    }
}

Task<void> VmRunner::end(VmPtr vm)
{
    if (!vm->running) {
        co_await end_unwatched(vm);
        co_return;
    }
    const auto ended = vm->running->ended;
    vm->running->kill_asked = true;
    if (vm->running->control && vm->running->control->quit()) {
        if (co_await wait_for_end(ports_.loop, ended, ports_.limits.vmm_quit)) {
            co_return;
        }
    }
    if (vm->running && !ended.has_happened()) {
        ports_.send_signal(vm->running->process, SIGKILL);
    }
    if (!co_await wait_for_end(ports_.loop, ended, ports_.limits.kill)) {
        throw unended(vm);
    }
}

void VmRunner::kill(const VmPtr& vm, int signal)
{
    if (!vm->running) {
        throw Error{ErrorCode::WrongState, vm->name() + " does not run"};
    }
    vm->running->kill_asked = vm->running->kill_asked || signal == SIGKILL || signal == SIGTERM || signal == SIGINT ||
                              signal == SIGHUP || signal == SIGQUIT;
    ports_.send_signal(vm->running->process, signal);
}

void VmRunner::give_way(const VmPtr& vm)
{
    if (vm->record.state == VmState::Starting) {
        vm->give_up = true;
        if (vm->running) {
            vm->running->started.set(StartOutcome::Cancelled);
        } else if (vm->end_boot) {
            vm->end_boot();
        }
    }
    if (vm->end_wait && (vm->running || vm->record.state == VmState::Starting)) {  // else it is a disk that is lent
        const auto give_up = vm->end_wait;
        give_up();
    }
}

}  // namespace banger::agent
