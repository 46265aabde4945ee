// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/agent.hpp"

#include "cli/connect/environment.hpp"
#include "cli/connect/launch.hpp"
#include "common/paths.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <vector>

#include <unistd.h>
#include <nlohmann/json.hpp>

namespace banger::cli {
namespace {

using Connection = std::unique_ptr<sdbus::IConnection>;

/// For one call. Long work is an Operation and has no limit; a guest under full emulation may take long to start a command.
constexpr std::chrono::minutes call_limit{5};

std::optional<std::string> environment(const char* name)
{
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<std::string>{value} : std::nullopt;
}

/// The bus itself.
class BusProxy final : public sdbus::ProxyInterfaces<PropertiesInterface> {
public:
    explicit BusProxy(sdbus::IConnection& connection)
        : ProxyInterfaces{connection, bus::ServiceName{"org.freedesktop.DBus"},
                          sdbus::ObjectPath{"/org/freedesktop/DBus"}}
    {
        registerProxy();
    }
    BusProxy(const BusProxy&) = delete;
    BusProxy& operator=(const BusProxy&) = delete;
    ~BusProxy() { unregisterProxy(); }

    bool serves_bangerd()
    {
        bool owned = false;
        getProxy()
            .callMethod("NameHasOwner")
            .onInterface(interface)
            .withArguments(std::string{agent_bus_name})
            .storeResultsTo(owned);
        return owned;
    }
    bool can_start_bangerd()
    {
        std::vector<std::string> names;
        getProxy().callMethod("ListActivatableNames").onInterface(interface).storeResultsTo(names);
        return std::find(names.begin(), names.end(), agent_bus_name) != names.end();
    }

private:
    static constexpr auto interface = "org.freedesktop.DBus";
};

bool serves_bangerd(sdbus::IConnection& connection)
{
    return translated([&] { return BusProxy{connection}.serves_bangerd(); });
}

/// nullptr when nobody listens there, or no bangerd.
Connection try_address(const std::string& address)
{
    try {
        auto connection = bus::open_bus(address);
        return serves_bangerd(*connection) ? std::move(connection) : nullptr;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Unavailable) {
            return nullptr;
        }
        throw;
    }
}

/// What bangerd wrote of itself; nullopt when there is nothing to be read.
std::optional<std::string> announced_address(const Paths& paths)
{
    std::ifstream file{paths.announcement()};
    const auto announcement = nlohmann::json::parse(file, nullptr, false);
    if (!announcement.is_object() || !announcement.contains("address") || !announcement["address"].is_string()) {
        return std::nullopt;
    }
    return announcement["address"].get<std::string>();
}

bool has_session_bus()
{
    if (environment("DBUS_SESSION_BUS_ADDRESS")) {
        return true;
    }
    const auto runtime = environment("XDG_RUNTIME_DIR");
    return runtime && ::access((*runtime + "/bus").c_str(), F_OK) == 0;
}

/// One bus may be shared by several homes (su, tests): a bangerd that keeps other VMs is not the caller's.
void check_is_ours(sdbus::IConnection& connection, const Paths& paths)
{
    ManagerProxy manager{connection, agent_root};
    const auto theirs = translated([&] { return manager.StateDirectory(); });
    if (std::filesystem::path{theirs} != paths.state) {
        throw Error{ErrorCode::Unavailable,
                    "the bangerd on this session bus keeps its VMs in " + theirs + ", not in " + paths.state.string() +
                        "; end it with: XDG_STATE_HOME=" + std::filesystem::path{theirs}.parent_path().string() +
                        " banger daemon stop"};
    }
}

/// nullptr where the session bus neither has a bangerd nor knows how to start one.
Connection try_session_bus(const Paths& paths, WhenAbsent when_absent)
{
    if (!has_session_bus()) {
        return nullptr;
    }
    Connection connection;
    try {
        connection = bus::open_session_bus();
    } catch (const Error&) {
        return nullptr;  // a stale variable, as after su or in a container; a private bus does as well
    }
    const bool starts =
        when_absent == WhenAbsent::Start && translated([&] { return BusProxy{*connection}.can_start_bangerd(); });
    if (!serves_bangerd(*connection) && !starts) {
        return nullptr;
    }
    check_is_ours(*connection, paths);
    return connection;
}

Connection connect_somehow(WhenAbsent when_absent)
{
    if (const auto address = environment("BANGER_BUS_ADDRESS")) {
        auto connection = bus::open_bus(*address);
        if (!serves_bangerd(*connection)) {
            throw Error{ErrorCode::Unavailable, "no bangerd serves on BANGER_BUS_ADDRESS, " + *address + "; unset it"};
        }
        return connection;
    }
    const auto paths = find_paths(environment);
    const auto try_announced = [&paths]() -> Connection {
        const auto address = announced_address(paths);
        return address ? try_address(*address) : nullptr;
    };
    if (auto connection = try_announced()) {
        return connection;
    }
    if (auto connection = try_session_bus(paths, when_absent)) {
        return connection;
    }
    if (when_absent == WhenAbsent::Leave) {
        return nullptr;
    }
    const auto lock = lock_start(paths);
    if (auto connection = try_announced()) {  // another banger was quicker
        return connection;
    }
    start_bangerd(paths);
    auto connection = try_announced();
    if (!connection) {
        throw Error{ErrorCode::Unavailable, "bangerd started and is gone again; its log is " + paths.log().string()};
    }
    return connection;
}

/// A bangerd of before this call, left over by an older banger, does without.
void share_environment(ManagerProxy& manager)
{
    try {
        manager.ShareEnvironment(shared_environment());
    } catch (const sdbus::Error& error) {
        if (error.getName() != "org.freedesktop.DBus.Error.UnknownMethod") {
            throw agent_error(error);
        }
    }
}

}  // namespace

Agent::Agent(std::unique_ptr<sdbus::IConnection> connection)
    : connection_{std::move(connection)}, manager_{*connection_, agent_root}
{
    connection_->setMethodCallTimeout(call_limit);
}

std::unique_ptr<Agent> Agent::connect(WhenAbsent when_absent)
{
    auto connection = connect_somehow(when_absent);
    if (!connection) {
        return nullptr;
    }
    auto agent = std::make_unique<Agent>(std::move(connection));
    // An address says which bangerd is meant, also one with another environment; and what starts none asks for nothing that depends on it.
    if (when_absent == WhenAbsent::Start && !environment("BANGER_BUS_ADDRESS")) {
        share_environment(agent->manager());
    }
    return agent;
}

std::unique_ptr<VmProxy> Agent::find_vm(const std::string& name)
{
    const auto path = translated([&] { return manager_.FindVm(name); });
    return std::make_unique<VmProxy>(*connection_, path);
}

}  // namespace banger::cli
