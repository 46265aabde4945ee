// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/agent.hpp"

#include "cli/connect/announcement.hpp"
#include "cli/connect/environment.hpp"
#include "cli/connect/launch.hpp"
#include "common/paths.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <unistd.h>

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

    /// The unique name of the bangerd that serves there; empty: none does.
    std::string bangerd()
    {
        std::string owner;
        try {
            getProxy()
                .callMethod("GetNameOwner")
                .onInterface(interface)
                .withArguments(std::string{agent_bus_name})
                .storeResultsTo(owner);
        } catch (const sdbus::Error& error) {
            if (error.getName() != "org.freedesktop.DBus.Error.NameHasNoOwner") {
                throw;
            }
        }
        return owner;
    }
    bool can_start_bangerd()
    {
        std::vector<std::string> names;
        getProxy().callMethod("ListActivatableNames").onInterface(interface).storeResultsTo(names);
        return std::find(names.begin(), names.end(), agent_bus_name) != names.end();
    }

    void look_for_services_anew() { getProxy().callMethod("ReloadConfig").onInterface(interface); }
    void have_bangerd_started()
    {
        std::uint32_t outcome = 0;
        getProxy()
            .callMethod("StartServiceByName")
            .onInterface(interface)
            .withArguments(std::string{agent_bus_name}, std::uint32_t{0})
            .storeResultsTo(outcome);
    }

private:
    static constexpr auto interface = "org.freedesktop.DBus";
};

std::string bangerd_on(sdbus::IConnection& connection)
{
    return translated([&] { return BusProxy{connection}.bangerd(); });
}

/// A way to bangerd; no connection: there is none.
struct Found {
    Connection connection;
    bool knows_us{false};  ///< it has our folders and variables, by its own word
};

/// The one that wrote it, and not another one that came to the same bus since, or to a bus that came in the place of that one.
bool is_author(const Announcement& announcement, const std::string& owner)
{
    return !owner.empty() && owner == announcement.name && announcement.pid > 0 && ::kill(announcement.pid, 0) == 0;
}

/// Nothing where nobody listens, or no bangerd.
Found try_announced(const Paths& paths)
{
    std::ifstream file{paths.announcement()};
    const auto announcement = parse_announcement(std::string{std::istreambuf_iterator<char>{file}, {}});
    if (!announcement) {
        return {};
    }
    try {
        auto connection = bus::open_bus(announcement->address);
        const auto owner = bangerd_on(*connection);
        if (owner.empty()) {
            return {};
        }
        const bool is_known = is_author(*announcement, owner);
        return {std::move(connection), is_known && agrees(*announcement, paths, shared_environment())};
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Unavailable) {
            return {};
        }
        throw;
    }
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

/// Where a bus may find it: beside this program.
bool has_service_file()
{
    std::error_code none;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", none);
    const auto services = own.parent_path().parent_path() / "share/dbus-1/services";
    return std::filesystem::exists(services / (std::string{agent_bus_name} + ".service"), none);
}

/// dbus-daemon watches only those folders that it found when it began, and a first installation may have made ~/.local/share/dbus-1/services since. It is
/// started at once there: where that fails a bus of its own will do, and a call that was lost would be an error.
bool can_start_bangerd(sdbus::IConnection& connection)
{
    BusProxy daemon{connection};
    if (daemon.can_start_bangerd()) {
        return true;
    }
    if (!has_service_file()) {
        return false;
    }
    try {
        daemon.look_for_services_anew();
        if (!daemon.can_start_bangerd()) {
            return false;
        }
        daemon.have_bangerd_started();
        return true;
    } catch (const sdbus::Error&) {
        return false;
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
    const bool starts = when_absent == WhenAbsent::Start && translated([&] { return can_start_bangerd(*connection); });
    if (!starts && bangerd_on(*connection).empty()) {
        return nullptr;
    }
    check_is_ours(*connection, paths);
    return connection;
}

Found connect_somehow(WhenAbsent when_absent)
{
    if (const auto address = environment("BANGER_BUS_ADDRESS")) {
        auto connection = bus::open_bus(*address);
        if (bangerd_on(*connection).empty()) {
            throw Error{ErrorCode::Unavailable, "no bangerd serves on BANGER_BUS_ADDRESS, " + *address + "; unset it"};
        }
        return {std::move(connection), true};  // it says which bangerd is meant, also one with another environment
    }
    const auto paths = find_paths(environment);
    if (auto found = try_announced(paths); found.connection) {
        return found;
    }
    if (auto connection = try_session_bus(paths, when_absent)) {
        return {std::move(connection), false};
    }
    if (when_absent == WhenAbsent::Leave) {
        return {};
    }
    const auto lock = lock_start(paths);
    if (auto found = try_announced(paths); found.connection) {  // another banger was quicker
        return found;
    }
    start_bangerd(paths);
    auto found = try_announced(paths);
    if (!found.connection) {
        throw Error{ErrorCode::Unavailable, "bangerd started and is gone again; its log is " + paths.log().string()};
    }
    return found;
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
    auto found = connect_somehow(when_absent);
    if (!found.connection) {
        return nullptr;
    }
    auto agent = std::make_unique<Agent>(std::move(found.connection));
    // What starts none asks for nothing that depends on it.
    if (when_absent == WhenAbsent::Start && !found.knows_us) {
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
