// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/artifacts.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/image_pull.hpp"
#include "cli/commands/making.hpp"
#include "common/size.hpp"

#include <filesystem>
#include <memory>
#include <optional>

namespace banger::cli {
namespace {

constexpr std::size_t brief_digest = 12;

struct NamesCommand {
    ListingOptions listing;
    std::vector<std::string> names;
};

struct BuildCommand {
    MakeReport report;
    std::string name;
    std::string suite;
    std::string size;
    std::vector<std::string> packages;
    std::string packages_file;
    bool force{false};
};

struct ImportCommand {
    MakeReport report;
    std::string name;
    std::string suite;
    std::string vmlinuz;
    std::string modules;
    bool force{false};
};

/// bangerd has a working directory of its own.
std::string absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

void put_text(VariantMap& map, const char* key, const std::string& value)
{
    if (!value.empty()) {
        map.emplace(key, sdbus::Variant{value});
    }
}

bool was_built(const VariantMap& result)
{
    const auto at = result.find("built");
    return at == result.end() || !at->second.containsValueOfType<bool>() || at->second.get<bool>();
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
                     {"vms", "VMS", Align::Right}}};
    for (const auto& row : rows) {
        const auto& name = row.get<0>();
        const auto& digest = row.get<1>();
        listing.add({name, digest.substr(0, brief_digest), ByteSize{row.get<2>()}.to_string(),
                     ByteSize{row.get<3>()}.to_string(), brief_origin(row.get<4>()), age_of(row.get<5>()),
                     std::to_string(row.get<6>())},
                    {name, digest, row.get<2>(), row.get<3>(), row.get<4>(), row.get<5>(), row.get<6>()});
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

int build(const BuildCommand& command)
{
    VariantMap map;
    put_text(map, "name", command.name);
    put_text(map, "suite", command.suite);
    if (!command.size.empty()) {
        map.emplace("size_bytes", sdbus::Variant{ByteSize::parse(command.size).bytes()});
    }
    if (!command.packages.empty()) {
        map.emplace("packages", sdbus::Variant{command.packages});
    }
    if (!command.packages_file.empty()) {
        map.emplace("packages_file", sdbus::Variant{absolute(command.packages_file)});
    }
    if (command.force) {
        map.emplace("force", sdbus::Variant{true});
    }
    return make_one(
        command.report, "image " + (command.name.empty() ? "debian" : command.name),
        [&](ManagerProxy& manager) { return manager.BuildImage(map); },
        [](const VariantMap& result) {
            return "image " + text_of(result, "name") + (was_built(result) ? " is made: " : " was there already: ") +
                   text_of(result, "digest").substr(0, brief_digest);
        });
}

int import(const ImportCommand& command)
{
    VariantMap map;
    put_text(map, "name", command.name);
    put_text(map, "suite", command.suite);
    if (!command.vmlinuz.empty()) {
        map.emplace("vmlinuz", sdbus::Variant{absolute(command.vmlinuz)});
    }
    if (!command.modules.empty()) {
        map.emplace("modules", sdbus::Variant{absolute(command.modules)});
    }
    if (command.force) {
        map.emplace("force", sdbus::Variant{true});
    }
    return make_one(
        command.report, "kernel " + (command.name.empty() ? "debian" : command.name),
        [&](ManagerProxy& manager) { return manager.ImportKernel(map); },
        [](const VariantMap& result) {
            return "kernel " + text_of(result, "name") + (was_built(result) ? " is made: " : " was there already: ") +
                   text_of(result, "version");
        });
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
    const auto command = std::make_shared<BuildCommand>();
    const auto app = add_command(image, context, "build", "Make an image from Debian's packages",
                                 [command] { return build(*command); });
    app.option("--name", command->name, "its name (debian)").value_name("NAME");
    app.option("--suite", command->suite, "bookworm or trixie (this host's)").value_name("SUITE");
    app.option("--size", command->size, "of its file system (16G)").value_name("SIZE");
    app.option("--package", command->packages, "one more package; may be given several times").value_name("PACKAGE");
    app.option("--packages-file", command->packages_file, "a list in place of the usual packages").value_name("FILE");
    app.flag("-f,--force", command->force, "make it again although it exists");
    command->report.add_to(app);
    add_image_pull(image, context);
    add_image_cache(image, context);
    add_names_command(image, context, "delete", "Delete images that no VM uses", remove<ImageProxy>).alias("rm");
}

void add_kernel_commands(Command kernel, Context& context)
{
    add_list_command(kernel, context, "List kernels", list_kernels);
    add_names_command(kernel, context, "show", "Tell all about kernels", show<KernelProxy>);
    const auto command = std::make_shared<ImportCommand>();
    const auto app = add_command(kernel, context, "import", "Bring a kernel in: Debian's own, or one of yours",
                                 [command] { return import(*command); });
    app.option("--name", command->name, "its name (debian)").value_name("NAME");
    const auto suite = app.option("--suite", command->suite, "bookworm or trixie (this host's)").value_name("SUITE");
    const auto vmlinuz =
        app.option("--vmlinuz", command->vmlinuz, "a bzImage or an ELF vmlinux").value_name("FILE").excludes(suite);
    const auto modules =
        app.option("--modules", command->modules, "its /lib/modules/VERSION folder").value_name("FOLDER");
    vmlinuz.needs(modules);
    modules.needs(vmlinuz);
    app.flag("-f,--force", command->force, "bring it in again although it exists");
    command->report.add_to(app);
    add_names_command(kernel, context, "delete", "Delete kernels that no VM uses", remove<KernelProxy>).alias("rm");
}

}  // namespace banger::cli
