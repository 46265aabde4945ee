// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_list.hpp"

#include "cli/connect/agent.hpp"
#include "cli/view/listing.hpp"
#include "cli/view/output.hpp"
#include "common/size.hpp"

#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace banger::cli {
namespace {

struct ListCommand {
    ListingOptions listing;
    Shown shown{Shown::All};
    bool all{false};
    std::string state;
    std::string pattern;
    std::vector<std::string> filters;
};

struct ShowCommand {
    ListingOptions listing;
    std::vector<std::string> names;
};

/// What bangerd is asked for; a key that it doesn't know it refuses itself.
std::map<std::string, std::string> filter_of(const ListCommand& command)
{
    std::map<std::string, std::string> filter;
    const auto put = [&filter](const std::string& key, const std::string& value) {
        if (!value.empty() && !filter.emplace(key, value).second) {
            throw Error{ErrorCode::InvalidArgument, "the " + key + " is given twice"};
        }
    };
    put("state", command.state);
    put("name", command.pattern);
    for (const auto& word : command.filters) {
        const auto border = word.find('=');
        if (border == std::string::npos || border + 1 == word.size()) {
            throw Error{ErrorCode::InvalidArgument, "--filter wants state=STATE or name=PATTERN, not \"" + word + "\""};
        }
        put(word.substr(0, border), word.substr(border + 1));
    }
    if (command.shown == Shown::Running && !command.all) {
        filter.emplace("state", "running");
    }
    return filter;
}

int list(const ListCommand& command)
{
    const auto filter = filter_of(command);
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto rows = translated([&] { return agent->manager().ListVms(filter); });
    Listing listing{{{"name", "NAME"},
                     {"state", "STATE"},
                     {"image", "IMAGE"},
                     {"vcpus", "VCPU", Align::Right},
                     {"memory_mib", "MEMORY", Align::Right},
                     {"disk_bytes", "DISK", Align::Right},
                     {"address", "ADDRESS"},
                     {"vmm", "VMM"},
                     {"created", "AGE", Align::Right},
                     {"id", ""},
                     {"reason", ""},
                     {"storage", "STORAGE"},
                     {"network", "NETWORK"},
                     {"nat", ""},
                     {"warning", ""}}};
    std::vector<std::string> warnings;
    for (const auto& row : rows) {
        const auto& [id, name, state, image, vcpus, memory, disk, address, created, vmm, reason, storage, network, nat,
                     warning] =
            static_cast<const std::tuple<std::string, std::string, std::string, std::string, std::uint32_t,
                                         std::uint32_t, std::uint64_t, std::string, std::int64_t, std::string,
                                         std::string, std::string, std::string, bool, std::string>&>(row);
        listing.add({name, state, image, std::to_string(vcpus), (std::uint64_t{memory} * mib).to_string(),
                     ByteSize{disk}.to_string(), address, vmm, age_of(created), storage,
                     nat && network == "tap" ? "tap+nat" : network},
                    {name, state, image, vcpus, memory, disk, address, vmm, created, id, reason, storage, network, nat,
                     warning});
        if (!warning.empty()) {
            warnings.push_back(std::string{name}.append(": ").append(warning));
        }
    }
    listing.print(command.listing);
    for (const auto& warning : warnings) {
        remark(warning);
    }
    return 0;
}

JsonValue describe(VmProxy& vm)
{
    const auto properties = translated([&] { return vm.properties(); });
    JsonValue object;
    for (const auto& [key, name] : {std::pair{"Name", "name"}, {"Id", "id"}, {"State", "state"}, {"Ready", "ready"}}) {
        if (const auto at = properties.find(key); at != properties.end()) {
            object[name] = to_json(at->second);
        }
    }
    if (const auto details = properties.find("Details"); details != properties.end()) {
        for (const auto& [key, value] : details->second.get<VariantMap>()) {
            object[key] = to_json(value);
        }
    }
    return object;
}

int show(const ShowCommand& command)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    Failures failures;
    auto objects = JsonValue::array();
    for (const auto& name : unique_names(command.names)) {
        try {
            objects.push_back(describe(*agent->find_vm(name)));
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    print_details(objects, command.listing, command.names.size());
    return failures.exit_code();
}

}  // namespace

Command add_vm_list(Command parent, Context& context, const std::string& name, Shown shown)
{
    const auto command = std::make_shared<ListCommand>();
    command->shown = shown;
    const bool is_all = shown == Shown::All;
    const auto app = add_command(parent, context, name, is_all ? "List VMs" : "List running VMs",
                                 [command] { return list(*command); });
    app.flag("-a,--all", command->all,
             is_all ? "those that don't run, too, as without it" : "those that don't run, too");
    app.option("--state", command->state, "only those in this state")
        .one_of({"creating", "stopped", "starting", "running", "stopping", "deleting", "failed"})
        .value_name("STATE");
    app.option("--filter", command->filters, "the same as state=STATE, name=PATTERN").value_name("KEY=VALUE");
    app.option("PATTERN", command->pattern, "only names like this, with * and ?");
    command->listing.add_to(app, ListingOptions::Quiet::Offered);
    return app;
}

void add_vm_show(Command vm, Context& context)
{
    const auto command = std::make_shared<ShowCommand>();
    const auto app = add_command(vm, context, "show", "Tell all about VMs", [command] { return show(*command); });
    app.option("NAME", command->names, "names or ids").required();
    command->listing.add_to(app, ListingOptions::Quiet::No);
}

}  // namespace banger::cli
