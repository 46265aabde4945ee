// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/proc_forwarding.hpp"

#include <net/if.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "broker/system/net_sysctl.hpp"

namespace banger::broker {
namespace {

constexpr auto forwarding_key = "forwarding";

bool is_on(const std::string& interface) { return read_net_sysctl(IpVersion::V4, interface, forwarding_key) == "1"; }

std::string name_of(unsigned index)
{
    std::array<char, IF_NAMESIZE> name{};
    return ::if_indextoname(index, name.data()) != nullptr ? name.data() : "";
}

}  // namespace

ProcForwarding::ProcForwarding(const std::filesystem::path& file, Guard guard)
    : folder_{file.parent_path()}, name_{file.filename().string()}, guard_{std::move(guard)}, ours_{load()}
{
}

std::vector<ProcForwarding::Interface> ProcForwarding::load() const
{
    std::vector<Interface> interfaces;
    std::istringstream lines{folder_.read(name_).value_or("")};
    for (Interface interface{}; lines >> interface.index >> interface.name;) {
        interfaces.push_back(interface);
    }
    return interfaces;
}

void ProcForwarding::save()
{
    std::string text;
    for (const auto& interface : ours_) {
        text += std::to_string(interface.index) + " " + interface.name + "\n";
    }
    if (text.empty()) {
        folder_.remove(name_);
        folder_.sync();
    } else {
        folder_.write(name_, text);
    }
}

std::vector<std::string> ProcForwarding::switched_on() const
{
    std::vector<std::string> names;
    for (const auto& interface : ours_) {
        names.push_back(interface.name);
    }
    return names;
}

/// First the file and the guard, then the switch; when it goes off, the other way round. What an earlier broker switched on, or somebody has taken the
/// rules of since, is guarded as if it were new.
void ProcForwarding::change(std::vector<Interface> wanted)
{
    const auto before = ours_;
    const auto is_in = [](const std::vector<Interface>& list, const Interface& interface) {
        return std::find(list.begin(), list.end(), interface) != list.end();
    };
    const bool is_router = is_on("all");
    std::copy_if(wanted.begin(), wanted.end(), std::back_inserter(ours_),
                 [&](const Interface& interface) { return !is_in(before, interface); });
    if (ours_ != before) {
        save();
    }
    if (!wanted.empty()) {
        guard_(switched_on());
    }
    for (const auto& interface : wanted) {
        if (name_of(interface.index) == interface.name) {
            write_net_sysctl(IpVersion::V4, interface.name, forwarding_key, "1");
        }
    }
    for (const auto& interface : before) {
        if (!is_in(wanted, interface) && !is_router && name_of(interface.index) == interface.name &&
            is_on(interface.name)) {
            write_net_sysctl(IpVersion::V4, interface.name, forwarding_key, "0");
        }
    }
    if (ours_ != wanted) {
        ours_ = std::move(wanted);
        save();
        guard_(switched_on());
    }
}

void ProcForwarding::follow()
{
    std::vector<Interface> wanted;
    if (!is_on("all")) {
        for (const auto index : rtnetlink_.default_route_links()) {
            const Interface interface {
                index, name_of(index)
            };
            const bool was_ours = std::find(ours_.begin(), ours_.end(), interface) != ours_.end();
            if (!interface.name.empty() && (was_ours || !is_on(interface.name))) {
                wanted.push_back(interface);
            }
        }
    }
    change(std::move(wanted));
}

void ProcForwarding::release() { change({}); }

}  // namespace banger::broker
