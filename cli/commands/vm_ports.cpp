// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_ports.hpp"

#include "cli/connect/agent.hpp"
#include "cli/view/listing.hpp"
#include "cli/view/output.hpp"
#include "cli/view/port_rows.hpp"

#include <algorithm>
#include <charconv>
#include <memory>

namespace banger::cli {
namespace {

[[noreturn]] void refuse(const std::string& text)
{
    throw Error{ErrorCode::InvalidArgument, "\"" + text + "\" is no [ADDRESS:]PORT:GUEST_PORT, such as 8080:80"};
}

std::uint16_t parse_port(const std::string& text, const std::string& whole)
{
    std::uint16_t port = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || problem != std::errc{} || end != text.data() + text.size()) {
        refuse(whole);
    }
    return port;
}

/// Takes an address and its colon off the front; what is left are ports.
std::string take_address(const std::string& text, std::size_t colons_of_ports, std::string& address)
{
    if (text.starts_with('[')) {
        const auto end = text.find("]:");
        if (end == std::string::npos) {
            refuse(text);
        }
        address = text.substr(1, end - 1);
        return text.substr(end + 2);
    }
    if (static_cast<std::size_t>(std::count(text.begin(), text.end(), ':')) <= colons_of_ports) {
        return text;
    }
    const auto border = text.find(':');
    address = text.substr(0, border);
    if (address == "localhost") {
        address = "127.0.0.1";
    }
    return text.substr(border + 1);
}

std::vector<OpenForward> forwards_of(VmProxy& vm)
{
    std::vector<OpenForward> forwards;
    for (const auto& row : translated([&] { return vm.ListForwards(); })) {
        forwards.push_back({std::get<0>(row), std::get<1>(row), std::get<2>(row)});
    }
    return forwards;
}

std::vector<std::string> reached_at(const PortRow& row)
{
    std::vector<std::string> places;
    if (!row.direct.empty()) {
        places.push_back(row.direct);
    }
    for (const auto& forward : row.forwards) {
        places.push_back(place_of(forward.address, forward.port));
    }
    return places;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ", ") + word;
    }
    return text;
}

struct PortsCommand {
    ListingOptions listing;
    std::string name;
};

std::string tap_address_of(VmProxy& vm)
{
    const auto properties = translated([&] { return vm.properties(); });
    const auto details = properties.find("Details");
    if (details == properties.end()) {
        return "";
    }
    const auto map = details->second.get<VariantMap>();
    const auto text = [&map](const char* key) {
        const auto at = map.find(key);
        return at == map.end() ? std::string{} : at->second.get<std::string>();
    };
    return text("network") == "tap" ? text("address") : "";
}

int ports(const PortsCommand& command)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(command.name);
    const auto answer = JsonValue::parse(translated([&] { return vm->Query("listeners", {}); }), nullptr, false);
    const auto rows = port_rows(answer, forwards_of(*vm), tap_address_of(*vm));
    Listing listing{{{"port", "PORT", Align::Right},
                     {"protocol", "PROTO"},
                     {"address", "LISTENS AT"},
                     {"program", "PROGRAM"},
                     {"reached_at", "REACHED AT"}}};
    for (const auto& row : rows) {
        const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
        const auto reached = reached_at(row);
        listing.add({std::to_string(row.port), row.protocol, row.address.empty() ? "nothing does" : row.address,
                     shown(row.program), shown(joined(reached))},
                    {row.port, row.protocol, row.address, row.program, reached});
    }
    listing.print(command.listing);
    return 0;
}

struct ForwardCommand {
    ListingOptions listing;
    std::string name;
    std::vector<std::string> wishes;
    std::vector<std::string> ends;
};

void list_forwards(VmProxy& vm, const ListingOptions& options)
{
    Listing listing{{{"at", "AT"}, {"guest_port", "GUEST PORT", Align::Right}, {"address", ""}, {"port", ""}}};
    for (const auto& [address, port, guest_port] : forwards_of(vm)) {
        const auto at = place_of(address, port);
        listing.add({at, std::to_string(guest_port)}, {at, guest_port, address, port});
    }
    listing.print(options);
}

int forward(const ForwardCommand& command)
{
    std::vector<ForwardWish> wishes;
    std::vector<ForwardWish> ends;
    std::transform(command.wishes.begin(), command.wishes.end(), std::back_inserter(wishes), parse_forward);
    std::transform(command.ends.begin(), command.ends.end(), std::back_inserter(ends), parse_open_port);
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(command.name);
    Failures failures;
    for (const auto& end : ends) {
        try {
            translated([&] { vm->EndForward(end.address, end.port); });
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    for (const auto& wish : wishes) {
        try {
            const auto port = translated([&] { return vm->Forward(wish.address, wish.port, wish.guest_port); });
            if (command.listing.form() == Format::Table) {
                print(place_of(wish.address.empty() ? "127.0.0.1" : wish.address, port) + " leads to port " +
                      std::to_string(wish.guest_port) + " of " + command.name + "\n");
            }
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    if (command.listing.form() != Format::Table || (wishes.empty() && ends.empty())) {
        list_forwards(*vm, command.listing);
    }
    return failures.exit_code();
}

}  // namespace

ForwardWish parse_forward(const std::string& text)
{
    ForwardWish wish;
    const auto ports = take_address(text, 1, wish.address);
    const auto border = ports.find(':');
    wish.port = parse_port(ports.substr(0, border), text);
    wish.guest_port = border == std::string::npos ? wish.port : parse_port(ports.substr(border + 1), text);
    if (wish.guest_port == 0) {
        refuse(text);
    }
    return wish;
}

ForwardWish parse_open_port(const std::string& text)
{
    ForwardWish wish;
    auto ports = take_address(text, 0, wish.address);
    wish.port = parse_port(ports, text);
    return wish;
}

void add_vm_ports(Command vm, Context& context)
{
    const auto command = std::make_shared<PortsCommand>();
    const auto app = add_command(vm, context, "ports", "Tell what listens in a VM, and at what address it is reached",
                                 [command] { return ports(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    command->listing.add_to(app, ListingOptions::Quiet::No);
}

void add_vm_forward(Command vm, Context& context)
{
    const auto command = std::make_shared<ForwardCommand>();
    const auto app = add_command(vm, context, "forward", "Let ports of this host lead into a VM; it needs no network",
                                 [command] { return forward(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    app.option(
        "PORTS", command->wishes,
        "[ADDRESS:]PORT:GUEST_PORT, or PORT for the same on both sides; PORT 0: any that is free; none: lists them");
    app.option("--end", command->ends, "close this one again; connections that are there go on")
        .value_name("[ADDRESS:]PORT");
    command->listing.add_to(app, ListingOptions::Quiet::No);
    app.footer(
        "They end with the VM; a restart keeps them. Without ADDRESS they are at 127.0.0.1, which all users of this "
        "host reach.");
}

}  // namespace banger::cli
