// SPDX-License-Identifier: GPL-2.0-or-later
// The part of VmManager that takes VMs in which were exported elsewhere.
#include <algorithm>

#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_limits.hpp"
#include "agent/core/vm/vm_manager.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// The one that was asked for, the very one that the VM had, or the usual one.
Artifact kernel_for(const Artifacts& kernels, const VmSpec& described, const ImportRequest& request)
{
    if (!request.kernel) {
        if (auto same = kernels.find(described.kernel_digest.str())) {
            return std::move(*same);
        }
    }
    const auto name = request.kernel.value_or(request.usual_kernel);
    auto kernel = kernels.find(name);
    if (!kernel) {
        throw Error{ErrorCode::NotFound, "there is no kernel \"" + shown(name) + "\"" +
                                             (request.kernel ? "; banger kernel list shows what there is"
                                                             : ", nor the one that the VM had; banger kernel pull "
                                                               "brings one")};
    }
    return std::move(*kernel);
}

/// A description is somebody else's word: what its values open on this host, or can't have here, is not taken over.
void make_local(VmSpec& spec, std::uint32_t host_cpus)
{
    spec.vcpus = std::clamp(spec.vcpus, 1U, host_cpus);
    spec.vmm = VmmChoice::Auto;
    if (spec.network == NetworkChoice::Tap) {
        spec.network = NetworkChoice::Auto;  // with its wish for NAT, which is taken where it costs no question
    }
    spec.storage = StorageChoice::File;
    spec.overlay = default_overlay;
    spec.on_stop = StopPolicy::Keep;
    spec.autostart = Autostart::Off;
}

}  // namespace

VmSpec VmManager::check_import(VmSpec described, const ImportRequest& request) const
{
    if (request.name) {
        described.name = VmName::parse(*request.name);
    }
    if (const auto& name = described.name.str(); by_name_.contains(name)) {
        throw Error{ErrorCode::AlreadyExists,
                    "a VM named \"" + name + "\" exists already; --name gives the one that comes in another"};
    }
    const auto kernel = kernel_for(ports_.kernels, described, request);
    ports_.kernels.check(kernel);
    described.kernel = kernel.name;
    described.kernel_digest = kernel.digest;
    described.loopback = request.loopback;
    make_local(described, host_cpus_);
    check_memory(described.memory_mib);
    check_disk(described.disk);
    return described;
}

Task<void> VmManager::take_in(VmPtr vm, OperationPtr operation, FillFolder fill)
{
    vm->making = operation;
    const auto guard = co_await vm->lifecycle.lock();
    operation->result()["name"] = vm->name();
    operation->result()["id"] = vm->record.id.str();
    std::exception_ptr failure;
    try {
        co_await fill_folder(vm, operation, std::move(fill));
    } catch (...) {
        failure = std::current_exception();
    }
    vm->making.reset();
    if (failure) {
        co_await give_back(vm);
        std::rethrow_exception(failure);
    }
}

/// In the order of make_disks(): a row in `creating` first and the description last, so that a SIGKILL leaves what the next start removes.
Task<void> VmManager::fill_folder(VmPtr vm, OperationPtr operation, FillFolder fill)
{
    auto& store = ports_.store;
    auto insert = [&store, row = vm->record] { store.insert(row); };
    co_await run_on(ports_.loop, ports_.store_lane, std::move(insert));
    operation->check_cancelled();
    auto make_folder = [folder = vm->folder] { make_private_folder(folder); };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(make_folder));
    auto filling = fill(vm->folder);
    co_await filling;
    operation->check_cancelled();
    auto describe = [&disks = ports_.disks, folder = vm->folder, description = to_json(vm->record.spec)] {
        disks.sync(folder);
        write_description(folder, description);
    };
    co_await run_on(ports_.loop, ports_.work_lane, std::move(describe));
    runner_.apply(vm, VmEvent::Made, "made");
    co_await runner_.save(vm);
}

}  // namespace banger::agent
