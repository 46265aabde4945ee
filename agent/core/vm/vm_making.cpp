// SPDX-License-Identifier: GPL-2.0-or-later
// The half of VmManager that makes VMs and takes them away.
#include "agent/core/config.hpp"
#include "agent/core/vm/name_maker.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_limits.hpp"
#include "agent/core/vm/vm_manager.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

const Artifact& found(const std::optional<Artifact>& artifact, const std::string& what, const std::string& name,
                      const std::string& mend)
{
    if (!artifact) {
        throw Error{ErrorCode::NotFound, "there is no " + what + " \"" + shown(name) + "\"; " + mend};
    }
    return *artifact;
}

}  // namespace

VmSpec VmManager::check(const VmRequest& request) const
{
    const auto is_taken = [this](const VmName& name) { return by_name_.contains(name.str()); };
    auto name = request.name ? VmName::parse(*request.name) : make_name(is_taken);
    if (is_taken(name)) {
        throw Error{ErrorCode::AlreadyExists,
                    "a VM named \"" + name.str() + "\" exists already; banger vm delete " + name.str() + " removes it"};
    }
    check_vcpus(request.vcpus, host_cpus_);
    check_memory(request.memory_mib);
    check_disk(request.disk);
    check_overlay(request.overlay);
    if (request.nat == Nat::On && (request.network == NetworkChoice::User || request.network == NetworkChoice::None)) {
        throw Error{ErrorCode::InvalidArgument, "NAT goes with a TAP, and the network " +
                                                    std::string{to_string(request.network)} + " was asked for"};
    }
    const auto image = ports_.images.find(request.image);
    const auto kernel = ports_.kernels.find(request.kernel);
    const auto image_found =
        found(image, "image", request.image,
              request.image == "debian" ? "banger image build makes it" : "banger image list shows what there is");
    const bool is_usual = request.kernel == "debian" || request.kernel == kernel_of_a_file;
    const auto kernel_found =
        found(kernel, "kernel", request.kernel,
              is_usual ? "banger kernel import brings it" : "banger kernel list shows what there is");
    ports_.images.check(image_found);
    ports_.kernels.check(kernel_found);
    return VmSpec{.name = std::move(name),
                  .image = image_found.name,
                  .image_digest = image_found.digest,
                  .kernel = kernel_found.name,
                  .kernel_digest = kernel_found.digest,
                  .vcpus = request.vcpus,
                  .memory_mib = request.memory_mib,
                  .disk = request.disk,
                  .vmm = request.vmm,
                  .network = request.network,
                  .nat = request.nat,
                  .storage = request.storage,
                  .overlay = request.overlay,
                  .loopback = request.loopback,
                  .rates = request.rates,
                  .on_stop = request.on_stop,
                  .home = request.home,
                  .image_config = image_found.config};
}

VmPtr VmManager::reserve(VmSpec spec, UniqueFd lease)
{
    if (by_name_.contains(spec.name.str())) {
        throw Error{ErrorCode::AlreadyExists, "a VM named \"" + spec.name.str() + "\" exists already"};
    }
    auto vm = add(VmRecord{.id = VmId::random(), .spec = std::move(spec), .created = ports_.now()});
    vm->lease = std::move(lease);
    try {
        watch_lease(vm);
    } catch (const Error&) {
        by_name_.erase(vm->name());
        observer_.removed(vm);
        throw Error{ErrorCode::InvalidArgument,
                    "the lease must be a pipe or a socket, whose other end closes when the client goes"};
    }
    return vm;
}

Task<void> VmManager::make_disks(VmPtr vm, OperationPtr operation, AfterCreate after)
{
    operation->set_stage("writing the record");
    VmSandboxes::plan(vm->record);
    auto& store = ports_.store;
    auto insert = [&store, row = vm->record] { store.insert(row); };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(insert));
    operation->check_cancelled();
    co_await sandboxes_.make(vm, operation);
    operation->check_cancelled();
    operation->set_stage("making the disks");
    const auto image = ports_.images.find(vm->record.spec.image_digest.str());
    if (!image) {
        throw Error{ErrorCode::NotFound, "the image " + vm->record.spec.image + " was deleted meanwhile"};
    }
    auto& disks = ports_.disks;
    const bool sync_now = after == AfterCreate::Leave;
    const bool is_file = vm->record.spec.storage == StorageChoice::File;
    const auto node = vm->sandbox_started ? vm->sandbox_started->disk : "";
    auto make_disks = [&disks, sync_now, is_file, node, folder = vm->folder,
                       source = image->folder / artifact_file::root_file_system, size = vm->record.spec.disk,
                       description = to_json(vm->record.spec), stop = operation->stop_token()] {
        make_private_folder(folder);
        if (is_file) {
            disks.make_root(source, folder, stop);
        } else {
            std::filesystem::create_symlink(node, folder / vm_folder::root_disk);
        }
        disks.make_work(folder, size);
        put_mark(folder, vm_folder::fresh);
        if (sync_now) {
            disks.sync(folder);
        }
        // Last: a folder with a description is a whole VM.
        write_description(folder, description);
    };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(make_disks));
    operation->check_cancelled();
    runner_.apply(vm, VmEvent::Made, "made");
    if (after == AfterCreate::Leave) {
        sandboxes_.stop(vm);
        co_await runner_.save(vm);
        co_await VmSandboxes::settled(vm);
    }  // else the start writes its own row, and until then a SIGKILL leaves nothing
}

Task<void> VmManager::sync_disks(VmPtr vm)
{
    auto sync = [&disks = ports_.disks, folder = vm->folder] { disks.sync(folder); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(sync));
}

/// While the guest boots, which takes longer; "done" is said after it.
Promise<Unit> VmManager::begin_sync(const VmPtr& vm) { return begin_task(sync_disks(vm)); }

Task<void> VmManager::make(VmPtr vm, OperationPtr operation, AfterCreate after, std::chrono::milliseconds ready_limit)
{
    vm->making = operation;
    const auto guard = co_await vm->lifecycle.lock();
    operation->result()["name"] = vm->name();
    operation->result()["id"] = vm->record.id.str();
    bool whole = false;
    std::exception_ptr failure;
    try {
        co_await make_disks(vm, operation, after);
        whole = true;
        if (after == AfterCreate::Start) {
            const auto synced = begin_sync(vm);
            co_await bring_up(vm, operation, ready_limit);
            co_await synced.wait();
        }
    } catch (...) {
        failure = std::current_exception();
    }
    vm->making.reset();
    if (failure) {
        // Nobody knows it yet, so an impossible or cancelled first start leaves nothing; one that came up late, failed by itself or
        // was stopped by somebody else is kept for a look.
        const auto code = to_error(failure).code();
        const bool cancelled = operation->stop_token().stop_requested();
        if (!whole || cancelled || code == ErrorCode::HostLacks || code == ErrorCode::NoSpace) {
            co_await give_back(vm);
        }
        std::rethrow_exception(failure);
    }
}

/// Discards a VM whose making failed; that error is the one to tell, so this one's is logged.
Task<void> VmManager::give_back(VmPtr vm)
{
    std::exception_ptr failure;
    try {
        co_await runner_.end(vm);
        co_await discard(vm);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        observer_.log(std::string{"can't be cleared up: "} + to_error(failure).what(), vm);
    }
}

/// Takes a VM away: folder first, row last, so that a row without a folder is all that a SIGKILL can leave. The sandbox of a VM without
/// either goes when the broker is next looked at.
Task<void> VmManager::discard(VmPtr vm, VmSandboxes::Patience patience)
{
    if (vm->removed) {
        co_return;
    }
    vm->lease_source.reset();
    if (const auto next = next_state(vm->record.state, VmEvent::DeleteRequested)) {
        vm->record.state = *next;
        observer_.changed(vm);
    }
    auto remove_files = [folder = vm->folder] { remove_folder(folder); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(remove_files));
    co_await sandboxes_.remove(vm, patience);
    auto& store = ports_.store;
    auto remove_row = [&store, id = vm->record.id] { store.remove(id); };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(remove_row));
    vm->removed = true;
    by_name_.erase(vm->name());
    observer_.removed(vm);
}

}  // namespace banger::agent
