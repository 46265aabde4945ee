// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/vm_object.hpp"

#include <fcntl.h>
#include <signal.h>

#include <cerrno>

#include "agent/core/image/image_command.hpp"
#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_sandboxes.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/operation_object.hpp"
#include "agent/service/options.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;
using Fd = sdbus::UnixFd;

constexpr auto vm_interface = "dev.banger.Agent1.Vm";
constexpr std::uint32_t flag_terminal = 1;
constexpr std::uint32_t flag_detached = 2;
constexpr std::uint32_t flag_image_settings = 4;
constexpr std::uint32_t flag_entrypoint = 8;
constexpr std::uint32_t flag_own_command = 16;
constexpr std::uint32_t flags_known =
    flag_terminal | flag_detached | flag_image_settings | flag_entrypoint | flag_own_command;

milliseconds limit_or(std::uint32_t asked_ms, milliseconds otherwise)
{
    return asked_ms == 0 ? otherwise : milliseconds{asked_ms};
}

GuestCommand command_of(const VmSpec& spec, std::vector<Bytes> argv, std::vector<Bytes> env, Bytes cwd,
                        std::string user, std::uint32_t flags, std::uint16_t rows, std::uint16_t columns)
{
    if ((flags & ~flags_known) != 0) {
        throw Error{ErrorCode::InvalidArgument, "Exec knows no such flags"};
    }
    constexpr std::uint16_t usual_rows = 24;
    constexpr std::uint16_t usual_columns = 80;
    GuestCommand command{.argv = std::move(argv),
                         .env = std::move(env),
                         .cwd = std::move(cwd),
                         .user = std::move(user),
                         .terminal = (flags & flag_terminal) != 0,
                         .detached = (flags & flag_detached) != 0,
                         .rows = rows != 0 ? rows : usual_rows,
                         .columns = columns != 0 ? columns : usual_columns};
    apply_image(command, spec.image_config,
                {.settings = (flags & flag_image_settings) != 0,
                 .entrypoint = (flags & flag_entrypoint) != 0,
                 .own_command = (flags & flag_own_command) != 0},
                spec.image);
    return command;
}

// The VM is held by the task, so that the link's owner outlives the call.
Task<std::tuple<Fd, Fd, Fd, Fd>> exec(VmPtr vm, GuestCommand command)
{
    auto ends = co_await VmManager::link(vm).exec(std::move(command));
    co_return std::tuple{bus::give_fd(std::move(ends.input)), bus::give_fd(std::move(ends.output)),
                         bus::give_fd(std::move(ends.error)), bus::give_fd(std::move(ends.control))};
}

Task<std::tuple<Fd>> connect(VmPtr vm, std::string host, std::uint16_t port)
{
    if (port == 0) {
        throw Error{ErrorCode::InvalidArgument, "a port is 1 to 65535"};
    }
    auto stream = co_await VmManager::link(vm).connect(std::move(host), port);
    co_return std::tuple{bus::give_fd(std::move(stream))};
}

constexpr auto usual_address = "127.0.0.1";

Task<std::tuple<std::uint16_t>> open_forward(Agent* agent, VmPtr vm, banger::agent::Forward wish)
{
    if (wish.guest_port == 0) {
        throw Error{ErrorCode::InvalidArgument, "a guest's port is 1 to 65535"};
    }
    const auto made = co_await agent->vms().open_forward(vm, std::move(wish));
    co_return std::tuple{made.port};
}

Task<std::tuple<>> end_forward(Agent* agent, VmPtr vm, std::string address, std::uint16_t port)
{
    co_await agent->vms().close_forward(vm, std::move(address), port);
    co_return std::tuple{};
}

enum class CopyWay { In, Out };

Task<std::tuple<Fd, Fd>> copy(VmPtr vm, CopyWay way, Bytes path)
{
    auto& link = VmManager::link(vm);
    auto task = way == CopyWay::In ? link.copy_in(std::move(path)) : link.copy_out(std::move(path));
    auto ends = co_await task;
    co_return std::tuple{bus::give_fd(std::move(ends.stream)), bus::give_fd(std::move(ends.control))};
}

Task<std::tuple<std::string>> query(VmPtr vm, std::string what, Bytes argument)
{
    const auto answer = co_await VmManager::link(vm).query(std::move(what), std::move(argument));
    co_return std::tuple{answer.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)};
}

using SshRows = std::vector<sdbus::Struct<std::string, std::string>>;

Task<std::tuple<SshRows>> ssh_config(Agent* agent, VmPtr vm)
{
    SshRows rows;
    const auto options = co_await agent->ssh_options(vm);
    for (const auto& [option, value] : options) {
        rows.emplace_back(option, value);
    }
    co_return std::tuple{std::move(rows)};
}

}  // namespace

sdbus::ObjectPath VmObject::path_of(const VmId& id) { return sdbus::ObjectPath{"/dev/banger/Agent1/vm/" + id.str()}; }

VmObject::VmObject(sdbus::IConnection& connection, Agent& agent, VmPtr vm)
    : AdaptorInterfaces{connection, path_of(vm->record.id)}, agent_{&agent}, vm_{std::move(vm)}
{
    registerAdaptor();
    tell_bus([this] { emitInterfacesAddedSignal(); });
}

VmObject::~VmObject()
{
    tell_bus([this] { emitInterfacesRemovedSignal(); });
    unregisterAdaptor();
}

void VmObject::changed()
{
    tell_bus([this] { bus::emit_changed(getObject(), vm_interface, {"State", "Ready", "Details"}); });
}

sdbus::ObjectPath VmObject::run(const char* kind, std::function<Task<void>(const OperationPtr&)> work)
{
    const auto operation = agent_->operations().add(kind, vm_->name());
    agent_->operations().run(operation, work(operation));
    return OperationObject::path_of(operation->id());
}

sdbus::ObjectPath VmObject::Start(const std::uint32_t& ready_timeout_s)
{
    return answer("Start", [&] {
        constexpr std::uint32_t ms_per_s = 1000;
        return run("start", [&](const OperationPtr& operation) {
            return agent_->vms().start(vm_, operation, milliseconds{std::uint64_t{ready_timeout_s} * ms_per_s});
        });
    });
}

sdbus::ObjectPath VmObject::Stop(const std::uint32_t& timeout_ms)
{
    return answer("Stop", [&] {
        return run("stop", [&](const OperationPtr& operation) {
            return agent_->vms().stop(vm_, operation, limit_or(timeout_ms, default_stop_limit));
        });
    });
}

sdbus::ObjectPath VmObject::Restart(const std::uint32_t& timeout_ms)
{
    return answer("Restart", [&] {
        return run("restart", [&](const OperationPtr& operation) {
            return agent_->vms().restart(vm_, operation, limit_or(timeout_ms, default_stop_limit));
        });
    });
}

sdbus::ObjectPath VmObject::Set(const VariantMap& map)
{
    return answer("Set", [&] {
        const Options options{map, {"vcpus", "memory_mib", "disk_bytes", "nat", "overlay_bytes", "autostart"}};
        VmChange change{.vcpus = options.get<std::uint32_t>("vcpus"),
                        .memory_mib = options.get<std::uint32_t>("memory_mib")};
        if (const auto bytes = options.get<std::uint64_t>("disk_bytes")) {
            change.disk = ByteSize{*bytes};
        }
        if (const auto bytes = options.get<std::uint64_t>("overlay_bytes")) {
            change.overlay = ByteSize{*bytes};
        }
        if (const auto nat = options.get<bool>("nat")) {
            change.nat = *nat ? Nat::On : Nat::Off;
        }
        if (const auto marked = options.get<bool>("autostart")) {
            change.autostart = *marked ? Autostart::On : Autostart::Off;
        }
        agent_->vms().check_change(vm_, change);
        return run("set", [&](const OperationPtr& operation) { return agent_->vms().change(vm_, operation, change); });
    });
}

void VmObject::Kill(const std::int32_t& signal)
{
    answer("Kill", [&] {
        if (signal < 1 || signal > SIGRTMAX) {
            throw Error{ErrorCode::InvalidArgument, "a signal is 1 to " + std::to_string(SIGRTMAX)};
        }
        agent_->vms().kill(vm_, signal);
    });
}

sdbus::ObjectPath VmObject::Delete(const bool& force)
{
    return answer("Delete", [&] {
        const auto how = force ? Force::Yes : Force::No;
        agent_->vms().check_removable(vm_, how);
        return run("delete", [&](const OperationPtr& operation) { return agent_->vms().remove(vm_, operation, how); });
    });
}

void VmObject::Exec(Result<Fd, Fd, Fd, Fd>&& result, std::vector<ByteList> argv, std::vector<ByteList> env,
                    ByteList cwd, std::string user, std::uint32_t flags, std::uint16_t rows, std::uint16_t columns)
{
    try {
        auto command = command_of(vm_->record.spec, std::move(argv), std::move(env), std::move(cwd), std::move(user),
                                  flags, rows, columns);
        reply("Exec", std::move(result), exec(vm_, std::move(command)));
    } catch (const banger::Error& error) {
        result.returnError(bus::to_bus_error(error));
    }
}

void VmObject::Connect(Result<Fd>&& result, std::string host, std::uint16_t port)
{
    reply("Connect", std::move(result), connect(vm_, std::move(host), port));
}

void VmObject::Forward(Result<std::uint16_t>&& result, std::string address, std::uint16_t port,
                       std::uint16_t guest_port)
{
    auto wish = banger::agent::Forward{address.empty() ? usual_address : std::move(address), port, guest_port};
    reply("Forward", std::move(result), open_forward(agent_, vm_, std::move(wish)));
}

void VmObject::EndForward(Result<>&& result, std::string address, std::uint16_t port)
{
    auto at = address.empty() ? usual_address : std::move(address);
    reply("EndForward", std::move(result), end_forward(agent_, vm_, std::move(at), port));
}

std::vector<sdbus::Struct<std::string, std::uint16_t, std::uint16_t>> VmObject::ListForwards()
{
    return answer("ListForwards", [&] {
        std::vector<sdbus::Struct<std::string, std::uint16_t, std::uint16_t>> rows;
        for (const auto& one : vm_->record.forwards) {
            rows.emplace_back(one.address, one.port, one.guest_port);
        }
        return rows;
    });
}

void VmObject::CopyIn(Result<Fd, Fd>&& result, ByteList directory)
{
    reply("CopyIn", std::move(result), copy(vm_, CopyWay::In, std::move(directory)));
}

void VmObject::CopyOut(Result<Fd, Fd>&& result, ByteList path)
{
    reply("CopyOut", std::move(result), copy(vm_, CopyWay::Out, std::move(path)));
}

void VmObject::Query(Result<std::string>&& result, std::string what, ByteList argument)
{
    reply("Query", std::move(result), query(vm_, std::move(what), std::move(argument)));
}

void VmObject::SshConfig(Result<SshRows>&& result) { reply("SshConfig", std::move(result), ssh_config(agent_, vm_)); }

std::tuple<Fd, std::string> VmObject::OpenLog(const std::string& which)
{
    return answer("OpenLog", [&] {
        if (which != "console" && which != "all" && which != "vmm") {
            throw Error{ErrorCode::InvalidArgument, "there are the logs console, vmm and all"};
        }
        const auto path =
            vm_->folder / (which == "vmm" ? vmm_log_in(vm_->folder) : vm_->folder / vm_folder::console_log);
        UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
        if (!file) {
            throw errno_error(vm_->name() + " has no such log yet", errno);
        }
        return std::tuple{bus::give_fd(std::move(file)), to_utf8(path.string())};
    });
}

VariantMap VmObject::Details()
{
    return answer("Details", [&] {
        const auto& record = vm_->record;
        const auto& spec = record.spec;
        const auto text = [](std::string_view value) { return sdbus::Variant{to_utf8(value)}; };
        const bool is_snapshot = spec.storage == StorageChoice::DmSnapshot;
        const auto root_used = !is_snapshot        ? agent_->disks().allocated(vm_->folder / vm_folder::root_disk)
                               : vm_->sandbox_seen ? vm_->sandbox_seen->allocated.bytes()
                                                   : 0;
        return VariantMap{
            {"reason", text(record.reason)},
            {"image", text(spec.image)},
            {"image_digest", text(spec.image_digest.str())},
            {"kernel", text(spec.kernel)},
            {"kernel_digest", text(spec.kernel_digest.str())},
            {"vcpus", sdbus::Variant{spec.vcpus}},
            {"memory_mib", sdbus::Variant{spec.memory_mib}},
            {"disk_bytes", sdbus::Variant{spec.disk.bytes()}},
            {"disk_used_bytes", sdbus::Variant{agent_->disks().allocated(vm_->folder / vm_folder::work_disk)}},
            {"root_used_bytes", sdbus::Variant{std::uint64_t{root_used}}},
            {"overlay_bytes", sdbus::Variant{is_snapshot ? spec.overlay.bytes() : std::uint64_t{0}}},
            {"disk_rate", sdbus::Variant{spec.rates.disk.bytes()}},
            {"disk_iops", sdbus::Variant{spec.rates.disk_operations}},
            {"network_rate", sdbus::Variant{spec.rates.network.bytes()}},
            {"vmm", text(record.vmm)},
            {"storage", text(to_string(spec.storage))},
            {"network", text(record.network)},
            {"nat", sdbus::Variant{spec.nat == Nat::On}},
            {"warning", text(warning_of(*vm_))},
            {"address", text(record.address)},
            {"pid", sdbus::Variant{static_cast<std::uint32_t>(record.process.pid)}},
            {"created", sdbus::Variant{record.created}},
            {"started", sdbus::Variant{record.started}},
            {"directory", text(vm_->folder.string())},
            {"remove_on_stop", sdbus::Variant{spec.on_stop == StopPolicy::Remove}},
            {"autostart", sdbus::Variant{spec.autostart == Autostart::On}},
        };
    });
}

}  // namespace banger::agent
