// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/artifacts.hpp"

#include "cli/commands/image_edit.hpp"
#include "cli/commands/image_making.hpp"
#include "cli/commands/image_pull.hpp"
#include "cli/commands/kernel_making.hpp"
#include "cli/connect/agent.hpp"
#include "cli/view/listing.hpp"
#include "cli/view/output.hpp"
#include "common/size.hpp"

#include <algorithm>
#include <memory>

namespace banger::cli {
namespace {

constexpr std::size_t brief_digest = 12;

struct NamesCommand {
    ListingOptions listing;
    std::vector<std::string> names;
};

/// The first few, as a table has little room.
std::string first_names(const std::vector<std::string>& names)
{
    constexpr std::size_t most = 3;
    std::string text;
    for (std::size_t i = 0; i < std::min(most, names.size()); ++i) {
        text += (i == 0 ? "" : ", ") + names[i];
    }
    return names.size() > most ? text + " and " + std::to_string(names.size() - most) + " more" : text;
}

int list_images(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto rows = translated([&] { return agent->manager().ListImages(); });
    Listing listing{{{"name", "NAME"},
                     {"digest", "DIGEST"},
                     {"size", "SIZE", Align::Right},
                     {"used", "USED", Align::Right},
                     {"origin", "ORIGIN"},
                     {"created", "AGE", Align::Right},
                     {"users", "USED BY"},
                     {"vms", ""}}};
    for (const auto& row : rows) {
        const auto& name = row.get<0>();
        const auto& digest = row.get<1>();
        const auto& users = row.get<6>();
        listing.add(
            {name, digest.substr(0, brief_digest), ByteSize{row.get<2>()}.to_string(),
             ByteSize{row.get<3>()}.to_string(), brief_origin(row.get<4>()), age_of(row.get<5>()), first_names(users)},
            {name, digest, row.get<2>(), row.get<3>(), row.get<4>(), row.get<5>(), users, users.size()});
    }
    listing.print(options);
    return 0;
}

int list_kernels(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto rows = translated([&] { return agent->manager().ListKernels(); });
    Listing listing{{{"name", "NAME"},
                     {"version", "VERSION"},
                     {"digest", "DIGEST"},
                     {"size", "SIZE", Align::Right},
                     {"origin", "ORIGIN"},
                     {"created", "AGE", Align::Right},
                     {"vms", "VMS", Align::Right}}};
    for (const auto& row : rows) {
        const auto& name = row.get<0>();
        const auto& digest = row.get<1>();
        listing.add({name, row.get<2>(), digest.substr(0, brief_digest), ByteSize{row.get<3>()}.to_string(),
                     row.get<4>(), age_of(row.get<5>()), std::to_string(row.get<6>())},
                    {name, row.get<2>(), digest, row.get<3>(), row.get<4>(), row.get<5>(), row.get<6>()});
    }
    listing.print(options);
    return 0;
}

std::string find(ManagerProxy& manager, const std::string& name, ImageProxy*) { return manager.FindImage(name); }
std::string find(ManagerProxy& manager, const std::string& name, KernelProxy*) { return manager.FindKernel(name); }

template <typename Proxy>
JsonValue describe(Proxy& artifact)
{
    const auto properties = artifact.properties();
    JsonValue object;
    if (const auto name = properties.find("Name"); name != properties.end()) {
        object["name"] = to_json(name->second);
    }
    if (const auto details = properties.find("Details"); details != properties.end()) {
        for (const auto& [key, value] : details->second.template get<VariantMap>()) {
            object[key] = to_json(value);
        }
    }
    return object;
}

/// Calls `act` with each object; one that fails stops no other.
template <typename Proxy, typename Act>
int for_each(const std::vector<std::string>& names, Act&& act)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    Failures failures;
    for (const auto& name : unique_names(names)) {
        try {
            translated([&] {
                Proxy object{agent->connection(), find(agent->manager(), name, static_cast<Proxy*>(nullptr))};
                act(object);
            });
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    return failures.exit_code();
}

template <typename Proxy>
int show(const NamesCommand& command)
{
    auto objects = JsonValue::array();
    const int code = for_each<Proxy>(command.names, [&](Proxy& object) { objects.push_back(describe(object)); });
    print_details(objects, command.listing, command.names.size());
    return code;
}

template <typename Proxy>
int remove(const NamesCommand& command)
{
    return for_each<Proxy>(command.names, [](Proxy& object) { object.Delete(); });
}

Command add_names_command(Command noun, Context& context, const std::string& verb, const std::string& description,
                          int (*action)(const NamesCommand&))
{
    const auto command = std::make_shared<NamesCommand>();
    const auto app = add_command(noun, context, verb, description, [command, action] { return action(*command); });
    app.option("NAME", command->names, "names").required();
    if (verb == "show") {
        command->listing.add_to(app, ListingOptions::Quiet::No);
    }
    return app;
}

void add_list_command(Command noun, Context& context, const std::string& description,
                      int (*action)(const ListingOptions&))
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(noun, context, "list", description, [options, action] { return action(*options); });
    app.alias("ls");
    options->add_to(app, ListingOptions::Quiet::Offered);
}

}  // namespace

void add_image_commands(Command image, Context& context)
{
    add_list_command(image, context, "List images", list_images);
    add_names_command(image, context, "show", "Tell all about images", show<ImageProxy>);
    add_image_making(image, context);
    add_image_pull(image, context);
    add_image_cache(image, context);
    add_image_edit(image, context);
    add_names_command(image, context, "delete", "Delete images that no VM uses", remove<ImageProxy>).alias("rm");
}

void add_kernel_commands(Command kernel, Context& context)
{
    add_list_command(kernel, context, "List kernels", list_kernels);
    add_names_command(kernel, context, "show", "Tell all about kernels", show<KernelProxy>);
    add_kernel_making(kernel, context);
    add_names_command(kernel, context, "delete", "Delete kernels that no VM uses", remove<KernelProxy>).alias("rm");
}

}  // namespace banger::cli
