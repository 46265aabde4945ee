// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/paths.hpp"
#include "dbus/compat/bus.hpp"

#include <memory>
#include <string>

// What starts marked VMs without anybody at a terminal: a unit of the user's systemd, and logind, which may start that with the machine.
namespace banger::cli {

inline constexpr auto autostart_unit = "banger-autostart.service";

/// The user's systemd, on the session bus.
class UserUnits {
public:
    /// Throws HostLacks: it isn't there, and what else starts VMs.
    UserUnits();
    UserUnits(const UserUnits&) = delete;
    UserUnits& operator=(const UserUnits&) = delete;
    ~UserUnits();

    /// Throws HostLacks (the unit isn't installed), Failed.
    void enable(const std::string& unit);
    /// One that isn't enabled is fine. Throws Failed.
    void disable(const std::string& unit);

private:
    class Manager;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<Manager> manager_;
};

/// Whether this user's services run without a login, as logind has it (loginctl(1), enable-linger).
class Lingering {
public:
    /// Throws HostLacks: there is no logind.
    Lingering();
    Lingering(const Lingering&) = delete;
    Lingering& operator=(const Lingering&) = delete;
    ~Lingering();

    bool is_on();
    /// polkit may ask the user. Throws NotAuthorized with what it said and who can, Failed.
    void set(bool on);

private:
    class Manager;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<Manager> manager_;
};

enum class StartsMarked { Never, AtLogin, AtBoot };
/// As files have it: the unit's link, this user's or an administrator's, and logind's note. Asks nobody.
StartsMarked starts_marked(const Paths& paths);

}  // namespace banger::cli
