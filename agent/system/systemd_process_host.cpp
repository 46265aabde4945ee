// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/systemd_process_host.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <map>
#include <systemd1_proxy.hpp>

#include "agent/core/vm/log_tail.hpp"
#include "common/denial.hpp"
#include "common/rollback.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::agent {
namespace {

constexpr auto systemd_name = "org.freedesktop.systemd1";
constexpr auto systemd_path = "/org/freedesktop/systemd1";
constexpr auto manager_interface = "org.freedesktop.systemd1.Manager";

using Property = sdbus::Struct<std::string, sdbus::Variant>;
using Properties = std::vector<Property>;
using Command = sdbus::Struct<std::string, std::vector<std::string>, bool>;
using Auxiliary = sdbus::Struct<std::string, Properties>;

std::string unit_name(const VmId& vm, const std::string& role)
{
    return "banger-" + vm.str() + "-" + role + ".service";
}

/// The errors that others branch on have codes of their own.
Error from_systemd(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    if (name == "org.freedesktop.systemd1.UnitExists") {
        return Error{ErrorCode::AlreadyExists, error.getMessage()};
    }
    return name == "org.freedesktop.systemd1.NoSuchUnit" ? Error{ErrorCode::NotFound, error.getMessage()}
                                                         : bus::from_bus_error(error);
}

/// The answer comes by the loop: who waits may destroy `proxy`, which sdbus-c++ goes on using after its callback.
template <typename T, typename... Arguments>
Promise<T> ask(EventLoop& loop, sdbus::IProxy& proxy, const char* interface, const char* method,
               const Arguments&... arguments)
{
    Promise<T> answer;
    proxy.callMethodAsync(method)
        .onInterface(interface)
        .withArguments(arguments...)
        .uponReplyInvoke([&loop, answer](bus::MaybeError error, T value) {
            if (error) {
                loop.post([answer, failure = std::make_exception_ptr(from_systemd(*error))] { answer.fail(failure); });
            } else {
                loop.post([answer, value = std::move(value)]() mutable { answer.set(std::move(value)); });
            }
        });
    return answer;
}

sdbus::UnixFd shared_fd(const UniqueFd& fd, int flags, const std::filesystem::path& otherwise)
{
    if (fd) {
        return sdbus::UnixFd{fd.get()};
    }
    UniqueFd opened{::open(otherwise.c_str(), flags | O_CLOEXEC, 0600)};
    if (!opened) {
        throw errno_error("can't open " + otherwise.string(), errno);
    }
    return bus::give_fd(std::move(opened));
}

/// Read at the start: once an upgrade has replaced the file, /proc gives another name.
const std::string own_path = std::filesystem::read_symlink("/proc/self/exe").string();

/// systemd/banger.slice; where it isn't installed systemd makes one without limits.
constexpr auto slice = "banger.slice";
constexpr std::uint64_t stop_limit_us = 15'000'000;  // more than ExecStop takes

/// A session that ends would otherwise kill the VMM with what its guest has not synced. systemd runs this, too, when the VMM ended by
/// itself; then there is no $MAINPID and it leaves at once.
Command farewell(const ProcessSpec& spec)
{
    return Command{own_path, {own_path, "--shut-down-vm", spec.directory.string()}, true};
}

/// systemd.service(5), systemd.exec(5); the descriptors' names are those of its D-Bus interface (v243 and later).
Properties properties_of(const ProcessSpec& spec)
{
    constexpr auto to_log = O_WRONLY | O_CREAT | O_APPEND;
    const bool forks = spec.readiness == ProcessSpec::Readiness::Fork;
    Properties properties;
    const auto set = [&properties](const char* name, sdbus::Variant value) {
        properties.emplace_back(name, std::move(value));
    };
    set("Description", sdbus::Variant{"banger VM " + spec.vm.str() + ", " + spec.role});
    set("Type", sdbus::Variant{std::string{forks ? "forking" : "exec"}});
    set("ExecStart", sdbus::Variant{std::vector<Command>{Command{spec.argv[0], spec.argv, false}}});
    set("Slice", sdbus::Variant{std::string{slice}});
    set("MemoryAccounting", sdbus::Variant{true});
    if (spec.role == "vmm") {
        set("ExecStop", sdbus::Variant{std::vector<Command>{farewell(spec)}});
        set("TimeoutStopUSec", sdbus::Variant{stop_limit_us});
    }
    set("WorkingDirectory", sdbus::Variant{spec.directory.string()});
    set("CollectMode", sdbus::Variant{std::string{"inactive-or-failed"}});  // no failed unit stays behind
    set("StandardInputFileDescriptor", sdbus::Variant{shared_fd(spec.standard_input, O_RDONLY, "/dev/null")});
    set("StandardOutputFileDescriptor", sdbus::Variant{shared_fd(spec.standard_output, to_log, spec.log)});
    set("StandardErrorFileDescriptor", sdbus::Variant{shared_fd({}, to_log, spec.log)});
    return properties;
}

}  // namespace

/// The manager's object, and the units that somebody is starting.
class SystemdProcessHost::Manager final : public sdbus::ProxyInterfaces<org::freedesktop::systemd1::Manager_proxy> {
public:
    explicit Manager(sdbus::IConnection& bus)
        : ProxyInterfaces{bus, bus::ServiceName{systemd_name}, sdbus::ObjectPath{systemd_path}}, bus_{&bus}
    {
        registerProxy();
        Subscribe();
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    Manager(Manager&&) = delete;
    Manager& operator=(Manager&&) = delete;
    ~Manager() { unregisterProxy(); }

    sdbus::IConnection& bus() noexcept { return *bus_; }
    sdbus::IProxy& proxy() noexcept { return getProxy(); }
    struct Watch {
        Promise<std::string> job;  ///< its value is the job's result
        Promise<Unit> removed;     ///< the unit of that name that was there before
    };
    /// To be called before the job is made: what has happened up to then is of no account.
    Watch watch(const std::string& unit) { return watches_[unit] = Watch{}; }
    void forget(const std::string& unit) { watches_.erase(unit); }

    /// False when systemd still has a unit of this name.
    Task<bool> submit(EventLoop& loop, std::string unit, Properties properties)
    {
        const std::vector<Auxiliary> none;
        const std::string mode = "fail";
        try {
            const auto accepted = ask<sdbus::ObjectPath>(loop, proxy(), manager_interface, "StartTransientUnit", unit,
                                                         mode, properties, none);
            co_await accepted.wait();
            co_return true;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::AlreadyExists) {
                co_return false;
            }
            throw Error{ErrorCode::Failed, "systemd doesn't start " + unit + ": " + error.what()};
        }
    }

private:
    void onSubscribeReply(bus::MaybeError) override {}
    void onStartTransientUnitReply(const sdbus::ObjectPath&, bus::MaybeError) override {}
    void onGetUnitReply(const sdbus::ObjectPath&, bus::MaybeError) override {}
    void onJobRemoved(const std::uint32_t&, const sdbus::ObjectPath&, const std::string& unit,
                      const std::string& result) override
    {
        if (const auto at = watches_.find(unit); at != watches_.end()) {
            const auto job = at->second.job;  // who waits for it forgets the watch
            job.set(result);
        }
    }
    void onUnitRemoved(const std::string& unit, const sdbus::ObjectPath&) override
    {
        if (const auto at = watches_.find(unit); at != watches_.end()) {
            const auto removed = at->second.removed;
            removed.set(Unit{});
        }
    }

    sdbus::IConnection* bus_;
    std::map<std::string, Watch> watches_;
};

SystemdProcessHost::SystemdProcessHost(EventLoop& loop, sdbus::IConnection& bus, ForkProcessHost& plain,
                                       std::chrono::milliseconds name_limit)
    : loop_{&loop}, manager_{std::make_unique<Manager>(bus)}, plain_{&plain}, name_limit_{name_limit}
{
}

SystemdProcessHost::~SystemdProcessHost() = default;

bool SystemdProcessHost::is_on(sdbus::IConnection& bus)
{
    try {
        const auto daemon = sdbus::createProxy(bus, bus::ServiceName{"org.freedesktop.DBus"},
                                               sdbus::ObjectPath{"/org/freedesktop/DBus"});
        bool owned = false;
        daemon->callMethod("NameHasOwner")
            .onInterface("org.freedesktop.DBus")
            .withArguments(std::string{systemd_name})
            .storeResultsTo(owned);
        return owned;
    } catch (const sdbus::Error&) {
        return false;
    }
}

Task<ProcessId> SystemdProcessHost::start(ProcessSpec spec)
{
    const auto unit = unit_name(spec.vm, spec.role);
    const auto properties = properties_of(spec);
    const Error in_the_way{ErrorCode::Failed,
                           "systemd doesn't start " + unit + ": an earlier unit of that name has not ended"};
    Rollback forget;
    forget.add([this, unit] { manager_->forget(unit); });
    auto watch = manager_->watch(unit);
    const auto deadline = std::chrono::steady_clock::now() + name_limit_;
    for (;;) {
        const bool accepted = co_await manager_->submit(*loop_, unit, properties);
        if (accepted) {
            break;
        }
        const auto left = std::chrono::ceil<EventLoop::Milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            throw Error{in_the_way};
        }
        co_await watch.removed.wait(*loop_, left, in_the_way);
        watch = manager_->watch(unit);  // not with what the job that stopped it came to
    }
    const auto result = co_await watch.job.wait();
    if (result != "done") {
        throw Error{ErrorCode::Failed, spec.argv[0] + " failed (" + unit + ": " + result +
                                           "): " + with_denial_hint(tail_of_log(spec.log))};
    }
    co_return co_await main_process(unit);
}

Task<ProcessId> SystemdProcessHost::main_process(std::string unit)
{
    try {
        const auto found = ask<sdbus::ObjectPath>(*loop_, manager_->proxy(), manager_interface, "GetUnit", unit);
        const auto path = co_await found.wait();
        const auto object = sdbus::createProxy(manager_->bus(), bus::ServiceName{systemd_name}, path);
        const auto asked = ask<sdbus::Variant>(*loop_, *object, "org.freedesktop.DBus.Properties", "Get",
                                               std::string{"org.freedesktop.systemd1.Service"}, std::string{"MainPID"});
        const auto value = co_await asked.wait();
        const auto pid = static_cast<int>(value.get<std::uint32_t>());
        const auto start_time = pid > 0 ? process_start_time(pid) : std::nullopt;
        co_return start_time ? ProcessId{pid, *start_time, unit} : ProcessId{};
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NotFound) {
            throw Error{error.code(), "systemd doesn't tell what runs as " + unit + ": " + error.what()};
        }
    }
    co_return ProcessId{};  // it has ended, maybe just now, or was started without systemd
}

Task<ProcessId> SystemdProcessHost::find(VmId vm, std::string role, std::filesystem::path directory, ProcessId noted)
{
    ProcessId process;
    std::exception_ptr failure;
    try {
        process = co_await main_process(unit_name(vm, role));
    } catch (...) {
        failure = std::current_exception();
    }
    if (!process) {
        process = co_await plain_->find(std::move(vm), std::move(role), std::move(directory), std::move(noted));
    }
    if (!process && failure) {
        std::rethrow_exception(failure);
    }
    co_return process;
}

}  // namespace banger::agent
