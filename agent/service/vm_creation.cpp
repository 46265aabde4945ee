// SPDX-License-Identifier: GPL-2.0-or-later
// The part of ManagerObject that makes VMs: what a client asks for, and what the settings give where it doesn't.
#include "agent/service/client_watch.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/manager_object.hpp"

namespace banger::agent {

VmRequest ManagerObject::request_of(const Options& options, const Config& config)
{
    VmRequest request{.name = options.get<std::string>("name"),
                      .image = options.get<std::string>("image", config.default_image),
                      .kernel = options.get<std::string>("kernel", config.default_kernel),
                      .vcpus = options.get<std::uint32_t>("vcpus", config.vcpus),
                      .memory_mib = options.get<std::uint32_t>("memory_mib", config.memory_mib),
                      .disk = ByteSize{options.get<std::uint64_t>("disk_bytes", config.disk.bytes())},
                      .vmm = config.vmm,
                      .network = config.network};
    if (const auto vmm = options.get<std::string>("vmm")) {
        request.vmm = parse_vmm(*vmm);
    }
    if (const auto network = options.get<std::string>("network")) {
        request.network = parse_network(*network);
    }
    apply_sandbox_wishes(request, options, config);
    request.rates = {ByteSize{options.get<std::uint64_t>("disk_rate", 0)}, options.get<std::uint32_t>("disk_iops", 0),
                     ByteSize{options.get<std::uint64_t>("network_rate", 0)}};
    request.loopback =
        options.get<bool>("allow_host_loopback", false) ? LoopbackPolicy::Allowed : LoopbackPolicy::Shielded;
    request.on_stop = options.get<bool>("remove_on_stop", false) ? StopPolicy::Remove : StopPolicy::Keep;
    request.home = options.get<bool>("work_disk", true) ? HomePlace::WorkDisk : HomePlace::Image;
    return request;
}

/// NAT goes with a TAP. Asked for, it asks for that; as a mere habit it gives way to a network that was asked for.
void ManagerObject::apply_sandbox_wishes(VmRequest& request, const Options& options, const Config& config)
{
    const auto nat = options.get<bool>("nat");
    const bool fits = request.network == NetworkChoice::Auto || request.network == NetworkChoice::Tap;
    request.nat = nat.value_or(config.nat == Nat::On && fits) ? Nat::On : Nat::Off;
    if (nat.value_or(false) && request.network == NetworkChoice::Auto) {
        request.network = NetworkChoice::Tap;
    }
    request.storage = config.storage;
    if (const auto storage = options.get<std::string>("storage")) {
        request.storage = parse_storage(*storage);
    }
    request.overlay = ByteSize{options.get<std::uint64_t>("overlay_bytes", config.overlay.bytes())};
}

OperationPtr ManagerObject::plan(Agent& agent, const VmSpec& spec)
{
    auto operation = agent.operations().add("create", spec.name.str());
    operation->result()["name"] = spec.name.str();
    operation->result()["plan"] = "would make " + spec.name.str() + ": image " + spec.image + ", kernel " +
                                  spec.kernel + ", " + std::to_string(spec.vcpus) + " vcpu, " +
                                  std::to_string(spec.memory_mib) + " MiB, disk " + spec.disk.to_string();
    agent.operations().run(operation, []() -> Task<void> { co_return; }());
    return operation;
}

/// Options are read before anything waits: what is wrong with them is told at once.
Task<ManagerObject::CreatedPaths> ManagerObject::create_vm(ManagerObject* self, VariantMap map, std::string client)
{
    const Options options{
        map, {"name",      "image",     "kernel",       "vcpus",    "memory_mib",      "disk_bytes",
              "vmm",       "network",   "nat",          "storage",  "overlay_bytes",   "allow_host_loopback",
              "disk_rate", "disk_iops", "network_rate", "start",    "ready_timeout_s", "remove_on_stop",
              "lease",     "dry_run",   "environment",  "work_disk"}};
    constexpr std::uint32_t usual_ready_s = 120;
    const std::chrono::seconds ready_limit{options.get<std::uint32_t>("ready_timeout_s", usual_ready_s)};
    const auto after = options.get<bool>("start", true) ? AfterCreate::Start : AfterCreate::Leave;
    const bool is_dry = options.get<bool>("dry_run", false);
    auto lease = options.get<sdbus::UnixFd>("lease");
    auto& agent = *self->agent_;
    const auto config = agent.settings().for_request(options.get<Variables>("environment", {}));
    auto request = request_of(options, config);
    co_await agent.read_home_files(config.file_sync);
    if (!request.name && !config.namegen_path.empty()) {
        request.name = co_await agent.ask_for_name(config.namegen_path);
    }
    if (!agent.images().find(request.image) || !agent.kernels().find(request.kernel)) {
        const ClientWatch watch{*self->connection_, client};
        co_await agent.take_bundle(watch.token());
    }
    auto spec = agent.vms().check(request);
    if (is_dry) {
        co_return std::tuple{sdbus::ObjectPath{"/"}, OperationObject::path_of(plan(agent, spec)->id())};
    }
    const auto vm = agent.vms().reserve(std::move(spec), lease ? bus::take_fd(std::move(*lease)) : UniqueFd{});
    const auto operation = agent.operations().add("create", vm->name());
    agent.operations().run(operation, agent.vms().make(vm, operation, after, ready_limit));
    co_return std::tuple{VmObject::path_of(vm->record.id), OperationObject::path_of(operation->id())};
}

void ManagerObject::CreateVm(sdbus::Result<sdbus::ObjectPath, sdbus::ObjectPath>&& result, VariantMap options)
{
    note_call();
    reply("CreateVm", std::move(result), create_vm(this, std::move(options), bus::sender_of(getObject())));
}

}  // namespace banger::agent
