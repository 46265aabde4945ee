// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/network.hpp"

#include <net/if.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <vector>

#include "common/error.hpp"
#include "guest/setup/rtnetlink.hpp"

namespace banger::guest {
namespace {

std::string mac_of(const std::filesystem::path& interface)
{
    std::string mac;
    std::getline(std::ifstream{interface / "address"}, mac);
    return mac;
}

/// The one with this hardware address, else the first (by index) that stands for a device, which lo does not.
std::string find_interface(const std::string& mac)
{
    std::error_code ignored;
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator{"/sys/class/net", ignored}) {
        if (std::filesystem::exists(entry.path() / "device", ignored) && (mac.empty() || mac_of(entry.path()) == mac)) {
            names.push_back(entry.path().filename().string());
        }
    }
    if (names.empty()) {
        throw Error{ErrorCode::NotFound, "The guest has no network interface" + (mac.empty() ? "" : " with " + mac)};
    }
    return *std::min_element(names.begin(), names.end(), [](const std::string& left, const std::string& right) {
        return ::if_nametoindex(left.c_str()) < ::if_nametoindex(right.c_str());
    });
}

}  // namespace

void set_network(const std::optional<wire::Network>& network)
{
    RouteSocket routes;
    routes.set_up(::if_nametoindex("lo"));
    if (!network) {
        return;
    }
    const auto address = Prefix::parse(network->address);
    const auto interface = ::if_nametoindex(find_interface(network->mac).c_str());
    for (const auto& older : routes.addresses(interface)) {
        if (older.family == address.family && older != address) {
            routes.remove_address(interface, older);
        }
    }
    routes.add_address(interface, address);
    routes.set_up(interface);
    if (!network->gateway.empty()) {
        routes.set_default_route(interface, Prefix::parse(network->gateway));
    }
}

std::string resolver_config(const wire::Network& network)
{
    std::string text = "# written by banger-guest\n";
    for (const auto& server : network.dns) {
        text += "nameserver " + server + "\n";
    }
    if (!network.search.empty()) {
        text += "search";
        for (const auto& domain : network.search) {
            text += " " + domain;
        }
        text += "\n";
    }
    return text;
}

}  // namespace banger::guest
