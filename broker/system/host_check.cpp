// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/host_check.hpp"

#include <arpa/inet.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "broker/core/sandbox.hpp"
#include "common/name_switch.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::broker {
namespace {

namespace fs = std::filesystem;

/// A module that is built in, loaded, or there to be loaded.
bool has_module(const std::string& name)
{
    if (fs::exists("/sys/module/" + name)) {
        return true;
    }
    utsname host{};
    ::uname(&host);
    const auto folder = std::string{"/lib/modules/"} + host.release;
    auto spelled = name;
    std::replace(spelled.begin(), spelled.end(), '_', '-');
    for (const char* list : {"/modules.dep", "/modules.builtin"}) {
        std::ifstream file{folder + list};
        for (std::string line; std::getline(file, line);) {
            const auto path = line.substr(0, line.find(':'));
            const auto stem = path.substr(path.rfind('/') + 1);
            if (stem.starts_with(name + ".ko") || stem.starts_with(spelled + ".ko")) {
                return true;
            }
        }
    }
    return false;
}

HostFinding module_finding(const char* what, const char* module, const char* node)
{
    if (node != nullptr && fs::exists(node)) {
        return {what, true, node};
    }
    if (has_module(module)) {
        return {what, true, std::string{"module "} + module};
    }
    return {what, false, std::string{"this kernel has no "} + module + "; boot one of the distribution's own"};
}

HostFinding udev_finding()
{
    const bool runs = fs::exists("/run/udev/control");
    return {"udev", runs,
            runs ? "gives a disk's node to its user"
                 : "udevd does not run, so there are no disks, only networks; systemctl start systemd-udevd"};
}

/// Whether somebody has this name on the system bus, or would be started for it.
bool is_on_bus(sdbus::IConnection& connection, const std::string& name)
{
    const auto daemon = sdbus::createProxy(connection, bus::ServiceName{"org.freedesktop.DBus"},
                                           sdbus::ObjectPath{"/org/freedesktop/DBus"});
    for (const char* list : {"ListNames", "ListActivatableNames"}) {
        std::vector<std::string> names;
        daemon->callMethod(list).onInterface("org.freedesktop.DBus").storeResultsTo(names);
        if (std::find(names.begin(), names.end(), name) != names.end()) {
            return true;
        }
    }
    return false;
}

/// Only where it runs; its zones are those that it knew when it was started or reloaded.
std::optional<HostFinding> firewalld_finding(sdbus::IConnection& connection)
{
    const std::string name{"org.fedoraproject.FirewallD1"};
    std::vector<std::string> zones;
    try {
        const auto daemon =
            sdbus::createProxy(connection, bus::ServiceName{name}, sdbus::ObjectPath{"/org/fedoraproject/FirewallD1"});
        daemon->callMethod("getZones").onInterface(name + ".zone").storeResultsTo(zones);
    } catch (const sdbus::Error&) {
        return std::nullopt;
    }
    const bool known = std::find(zones.begin(), zones.end(), "banger") != zones.end();
    return HostFinding{"firewalld", known,
                       known ? "has the zone banger"
                             : "does not know the zone banger yet, so NAT does not work; firewall-cmd --reload"};
}

HostFinding service_finding(sdbus::IConnection& connection, const std::string& what, const std::string& name,
                            const std::string& mend)
{
    const bool there = is_on_bus(connection, name);
    return {what, there, there ? name : "nobody serves " + name + " on the system bus; " + mend};
}

/// A route of the host's own into the pool: /proc/net/route, proc(5), addresses in hexadecimal as they are in memory.
HostFinding pool_finding(const AddressPool& pool)
{
    constexpr int hexadecimal = 16;
    std::ifstream routes{"/proc/net/route"};
    std::string line;
    std::getline(routes, line);
    const auto mask = ~std::uint32_t{0} << (32U - pool.prefix);
    const auto text = ipv4_text(pool.network) + "/" + std::to_string(pool.prefix);
    while (std::getline(routes, line)) {
        std::istringstream words{line};
        std::string name;
        std::string destination;
        std::string word;
        words >> name >> destination;
        for (int skipped = 0; skipped < 6; ++skipped) {
            words >> word;  // the sixth is the mask
        }
        const auto address = ntohl(static_cast<std::uint32_t>(std::stoul(destination, nullptr, hexadecimal)));
        const auto length = ntohl(static_cast<std::uint32_t>(std::stoul(word, nullptr, hexadecimal)));
        const bool is_ours = name.starts_with("bgr");
        if (length != 0 && !is_ours && (address & mask & length) == (pool.network & length)) {
            return {"addresses", false,
                    std::string{text}
                        .append(" overlaps the route of ")
                        .append(name)
                        .append("; set address_pool in /etc/banger/broker.toml")};
        }
    }
    return {"addresses", true, text + " is free"};
}

}  // namespace

HostFinding finding_of_host_names(Resolved resolved, const std::filesystem::path& name_switch)
{
    if (resolved == Resolved::There) {
        return {"names", true, "systemd-resolved finds NAME.vm"};
    }
    if (looks_up_hosts_by("banger", name_switch)) {
        return {"names", true, "libnss_banger finds NAME.vm, for programs of its owner"};
    }
    return {"names", false,
            "NAME.vm is not found: systemd-resolved does not run, and hosts in " + name_switch.string() +
                " has no banger; put it behind files there"};
}

std::vector<HostFinding> check_host(const AddressPool& pool)
{
    std::vector<HostFinding> findings{
        module_finding("device-mapper", "dm_mod", "/dev/mapper/control"),
        module_finding("snapshots", "dm_snapshot", nullptr),
        module_finding("loop devices", "loop", "/dev/loop-control"),
        module_finding("TAP", "tun", "/dev/net/tun"),
        module_finding("nftables", "nf_tables", nullptr),
        udev_finding(),
        pool_finding(pool),
    };
    try {
        const auto connection = bus::open_system_bus();
        findings.push_back(service_finding(*connection, "polkit", "org.freedesktop.PolicyKit1",
                                           "apt install polkitd; without it nothing is allowed"));
        findings.push_back(finding_of_host_names(
            is_on_bus(*connection, "org.freedesktop.resolve1") ? Resolved::There : Resolved::Absent,
            "/etc/nsswitch.conf"));
        if (auto finding = firewalld_finding(*connection)) {
            findings.push_back(std::move(*finding));
        }
    } catch (const Error& problem) {
        findings.push_back({"system bus", false, problem.what()});
    }
    return findings;
}

}  // namespace banger::broker
