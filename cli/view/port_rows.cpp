// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/port_rows.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>

namespace banger::cli {
namespace {

std::string member_text(const JsonValue& object, const char* key)
{
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

bool is_one_address_of(const std::string& address, std::initializer_list<const char*> some)
{
    return std::find(some.begin(), some.end(), address) != some.end();
}

}  // namespace

std::string place_of(const std::string& address, std::uint16_t port)
{
    const bool is_six = address.find(':') != std::string::npos;
    return (is_six ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

std::vector<PortRow> port_rows(const JsonValue& listeners, const std::vector<OpenForward>& forwards,
                               const std::string& tap_address)
{
    std::vector<PortRow> rows;
    std::set<std::uint16_t> heard;
    const auto list = listeners.find("listeners");
    for (const auto& one : list != listeners.end() && list->is_array() ? *list : JsonValue::array()) {
        if (!one.is_object() || !one.contains("port") || !one["port"].is_number_unsigned()) {
            continue;  // a guest may say anything
        }
        PortRow row{.protocol = member_text(one, "protocol"),
                    .port = one["port"].get<std::uint16_t>(),
                    .address = member_text(one, "address"),
                    .program = member_text(one, "program")};
        const bool is_everywhere = is_one_address_of(row.address, {"0.0.0.0", "::"});
        if (!tap_address.empty() && (is_everywhere || row.address == tap_address)) {
            row.direct = place_of(tap_address, row.port);
        }
        const bool is_local = is_everywhere || is_one_address_of(row.address, {"127.0.0.1", "::1"});
        for (const auto& forward : forwards) {
            if (row.protocol == "tcp" && is_local && forward.guest_port == row.port) {
                heard.insert(forward.guest_port);
                row.forwards.push_back(forward);
            }
        }
        rows.push_back(std::move(row));
    }
    for (const auto& forward : forwards) {
        if (!heard.contains(forward.guest_port)) {
            rows.push_back({.protocol = "tcp", .port = forward.guest_port, .forwards = {forward}});
        }
    }
    return rows;
}

}  // namespace banger::cli
