// SPDX-License-Identifier: GPL-2.0-or-later
// Ports of the VM whose ports are looked at.
#include "cli/tui/actions.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

using BusForward = sdbus::Struct<std::string, std::uint16_t, std::uint16_t>;

Method port_method(const std::string& id, const char* name)
{
    return {std::string{agent_root} + "/vm/" + id, vm_interface, name};
}

std::string value_of(const std::map<std::string, std::string>& values, const char* name, const char* otherwise)
{
    const auto at = values.find(name);
    return at == values.end() ? otherwise : at->second;
}

std::string tap_address_of_row(const VmRow* vm)
{
    return vm != nullptr && vm->network == "tap" ? vm->address : std::string{};
}

}  // namespace

ForwardWish forward_of_form(const std::map<std::string, std::string>& values)
{
    const auto guest_port = value_of(values, "guest-port", "");
    if (guest_port.empty()) {
        throw Error{ErrorCode::InvalidArgument, "guest-port wants the port that something listens at in the guest"};
    }
    const auto port = value_of(values, "port", "0");
    for (const auto& one : {port, guest_port}) {
        if (one.find(':') != std::string::npos) {  // it would be read as more than one
            throw Error{ErrorCode::InvalidArgument, "'" + one + "' is no port"};
        }
    }
    const auto ports = port + ":" + guest_port;
    const auto address = value_of(values, "address", "");
    const bool is_six = std::count(address.begin(), address.end(), ':') > 0;
    return parse_forward(address.empty() ? ports : (is_six ? "[" + address + "]" : address) + ":" + ports);
}

/// First what listens, which a guest may not tell; then what leads there, which bangerd knows.
void Actions::ask_ports(const std::string& id)
{
    if (model_->ports && model_->ports->id == id) {
        model_->ports->waits = true;
    }
    remote_->call<std::string>(
        port_method(id, "Query"), Remote::Limit::Usual,
        [this, id](const std::optional<Error>& problem, const std::string& answer) {
            ask_forwards(id, problem ? "{}" : answer, problem ? problem->what() : "");
        },
        std::string{"listeners"}, std::vector<std::uint8_t>{});
}

void Actions::ask_forwards(const std::string& id, const std::string& listeners, const std::string& why_none)
{
    remote_->call<std::vector<BusForward>>(
        port_method(id, "ListForwards"), Remote::Limit::Usual,
        [this, id, listeners, why_none](const std::optional<Error>& problem, const std::vector<BusForward>& answer) {
            if (!model_->ports || model_->ports->id != id) {
                return;  // nobody looks any more
            }
            std::vector<OpenForward> forwards;
            for (const auto& row : answer) {
                forwards.push_back({row.template get<0>(), row.template get<1>(), row.template get<2>()});
            }
            const auto told = JsonValue::parse(listeners, nullptr, false);
            model_->ports->fill(port_rows(told, forwards, tap_address_of_row(model_->vms.find(id))),
                                problem ? problem->what() : why_none);
            changed_();
        });
}

void Actions::forward(const Intent& intent)
{
    ForwardWish wish;
    try {
        wish = forward_of_form(intent.values);
    } catch (const Error& error) {
        answer_form(intent.verb, error);
        return;
    }
    remote_->call<std::uint16_t>(
        port_method(intent.target, "Forward"), Remote::Limit::Usual,
        [this, intent, wish](const std::optional<Error>& problem, const std::uint16_t& opened_port) {
            answer_form(Verb::Forward, problem);
            if (!problem) {
                model_->say(place_of(wish.address.empty() ? "127.0.0.1" : wish.address, opened_port) +
                                " leads to port " + std::to_string(wish.guest_port) + " of " + intent.name,
                            Ink::Good);
                ask_ports(intent.target);
            }
        },
        wish.address, wish.port, wish.guest_port);
}

void Actions::end_forward(const Intent& intent)
{
    const auto end = parse_open_port(intent.values.at("port"));
    remote_->call<>(
        port_method(intent.target, "EndForward"), Remote::Limit::Usual,
        [this, intent](const std::optional<Error>& problem) {
            if (problem) {
                failed("end " + intent.values.at("port"), *problem);
            } else {
                model_->say(intent.values.at("port") + " is closed; connections that are there go on", Ink::Good);
            }
            ask_ports(intent.target);
        },
        end.address, end.port);
}

}  // namespace banger::cli::tui
