// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/boot.hpp"

#include "cli/connect/proxies.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <pwd.h>
#include <unistd.h>

namespace banger::cli {
namespace {

constexpr auto systemd_bus_name = "org.freedesktop.systemd1";
constexpr auto systemd_manager = "org.freedesktop.systemd1.Manager";
constexpr auto logind_bus_name = "org.freedesktop.login1";
constexpr auto logind_manager = "org.freedesktop.login1.Manager";
/// Somebody may type a password.
constexpr std::chrono::minutes question_limit{3};

using UnitChanges = std::vector<sdbus::Struct<std::string, std::string, std::string>>;

std::string user_name()
{
    const auto* entry = ::getpwuid(::geteuid());
    return entry != nullptr ? static_cast<const char*>(entry->pw_name) : std::to_string(::geteuid());
}

std::string user_object_path() { return "/org/freedesktop/login1/user/_" + std::to_string(::geteuid()); }

/// Any object's properties.
class PropertiesProxy final : public sdbus::ProxyInterfaces<PropertiesInterface> {
public:
    PropertiesProxy(sdbus::IConnection& connection, const char* service, const std::string& path)
        : ProxyInterfaces{connection, bus::ServiceName{service}, sdbus::ObjectPath{path}}
    {
        registerProxy();
    }
    PropertiesProxy(const PropertiesProxy&) = delete;
    PropertiesProxy& operator=(const PropertiesProxy&) = delete;
    ~PropertiesProxy() { unregisterProxy(); }
    sdbus::IProxy& proxy() noexcept { return getProxy(); }
};

bool is_absent(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    return name == "org.freedesktop.DBus.Error.ServiceUnknown" || name == "org.freedesktop.DBus.Error.NameHasNoOwner" ||
           name == "org.freedesktop.DBus.Error.Spawn.ServiceNotFound";
}

bool is_refusal(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    return name == "org.freedesktop.DBus.Error.AccessDenied" ||
           name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" ||
           name.starts_with("org.freedesktop.PolicyKit1.Error.");
}

Error no_user_units()
{
    return {ErrorCode::HostLacks,
            "there is no systemd of yours on the session bus, which would start VMs; without one a line of crontab(5) "
            "does: "
            "@reboot banger vm start --marked"};
}

Error no_logind()
{
    return {ErrorCode::HostLacks,
            "there is no logind on the system bus, which would let your services run without a login"};
}

template <typename Calls>
decltype(auto) of_systemd(Calls&& calls)
{
    try {
        return calls();
    } catch (const sdbus::Error& error) {
        if (is_absent(error)) {
            throw no_user_units();
        }
        const std::string& name = error.getName();
        const bool unknown = name.ends_with(".NoSuchUnit") || name.ends_with(".FileNotFound");
        throw Error{unknown ? ErrorCode::HostLacks : ErrorCode::Failed,
                    "your systemd says: " + error.getMessage() + (unknown ? "; install banger again" : "")};
    }
}

}  // namespace

class UserUnits::Manager {
public:
    explicit Manager(sdbus::IConnection& connection)
        : object_{connection, systemd_bus_name, "/org/freedesktop/systemd1"}
    {
    }

    std::string version()
    {
        const auto values = object_.get_all(systemd_manager);
        const auto at = values.find("Version");
        return at != values.end() ? at->second.get<std::string>() : "";
    }
    void enable(const std::string& unit)
    {
        bool has_install_section = false;
        UnitChanges changes;
        object_.proxy()
            .callMethod("EnableUnitFiles")
            .onInterface(systemd_manager)
            .withArguments(std::vector<std::string>{unit}, false, false)
            .storeResultsTo(has_install_section, changes);
        reload();
    }
    void disable(const std::string& unit)
    {
        UnitChanges changes;
        object_.proxy()
            .callMethod("DisableUnitFiles")
            .onInterface(systemd_manager)
            .withArguments(std::vector<std::string>{unit}, false)
            .storeResultsTo(changes);
        reload();
    }

private:
    void reload() { object_.proxy().callMethod("Reload").onInterface(systemd_manager); }

    PropertiesProxy object_;
};

UserUnits::UserUnits()
{
    try {
        connection_ = bus::open_session_bus();
    } catch (const Error&) {
        throw no_user_units();
    }
    manager_ = std::make_unique<Manager>(*connection_);
    of_systemd([&] { return manager_->version(); });
}

UserUnits::~UserUnits() = default;

void UserUnits::enable(const std::string& unit)
{
    of_systemd([&] { manager_->enable(unit); });
}

void UserUnits::disable(const std::string& unit)
{
    of_systemd([&] { manager_->disable(unit); });
}

class Lingering::Manager {
public:
    explicit Manager(sdbus::IConnection& connection)
        : connection_{&connection}, object_{connection, logind_bus_name, "/org/freedesktop/login1"}
    {
        object_.get_all(logind_manager);  // it is there, or this throws
    }

    /// A user whom logind doesn't know has no session, and doesn't linger either: one that does is always known.
    bool is_on()
    {
        try {
            PropertiesProxy user{*connection_, logind_bus_name, user_object_path()};
            const auto values = user.get_all("org.freedesktop.login1.User");
            const auto at = values.find("Linger");
            return at != values.end() && at->second.containsValueOfType<bool>() && at->second.get<bool>();
        } catch (const sdbus::Error&) {
            return false;
        }
    }
    void set(bool on)
    {
        constexpr bool may_ask = true;
        object_.proxy()
            .callMethod("SetUserLinger")
            .onInterface(logind_manager)
            .withTimeout(question_limit)
            .withArguments(static_cast<std::uint32_t>(::geteuid()), on, may_ask);
    }

private:
    sdbus::IConnection* connection_;
    PropertiesProxy object_;
};

Lingering::Lingering()
{
    try {
        connection_ = bus::open_system_bus();
        manager_ = std::make_unique<Manager>(*connection_);
    } catch (const Error&) {
        throw no_logind();
    } catch (const sdbus::Error&) {
        throw no_logind();
    }
}

Lingering::~Lingering() = default;

bool Lingering::is_on() { return manager_->is_on(); }

void Lingering::set(bool on)
{
    try {
        manager_->set(on);
    } catch (const sdbus::Error& error) {
        if (is_refusal(error)) {
            throw Error{ErrorCode::NotAuthorized, "polkit refuses, and so logind does: " + error.getMessage() +
                                                      "; an administrator can: loginctl " +
                                                      (on ? "enable" : "disable") + "-linger " + user_name()};
        }
        throw Error{ErrorCode::Failed, "logind says: " + error.getMessage()};
    }
}

StartsMarked starts_marked(const Paths& paths)
{
    std::error_code none;
    const auto link = std::filesystem::path{"systemd/user/default.target.wants"} / autostart_unit;
    const auto own = paths.config.parent_path().parent_path() / link;
    const bool enabled = std::filesystem::is_symlink(own, none) || std::filesystem::is_symlink("/etc" / link, none);
    if (!enabled) {
        return StartsMarked::Never;
    }
    const auto note = std::filesystem::path{"/var/lib/systemd/linger"} / user_name();
    return std::filesystem::exists(note, none) ? StartsMarked::AtBoot : StartsMarked::AtLogin;
}

}  // namespace banger::cli
