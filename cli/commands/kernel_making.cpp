// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/kernel_making.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"
#include "cli/connect/environment.hpp"

#include <memory>

namespace banger::cli {
namespace {

struct ImportCommand {
    MakeReport report;
    std::string name;
    std::string suite;
    std::string flavour;
    std::string package;
    std::string file;
    std::string vmlinuz;
    std::string modules;
    std::string initrd;
    bool force{false};
};

std::string describe_kernel(const VariantMap& result)
{
    return "kernel " + text_of(result, "name") + (was_built(result) ? " is made: " : " was there already: ") +
           text_of(result, "version");
}

int bring(const ImportCommand& command)
{
    VariantMap map;
    put_text(map, "name", command.name);
    put_text(map, "suite", command.suite);
    put_text(map, "flavour", command.flavour);
    put_text(map, "package", command.package);
    const auto& file = command.file.empty() ? command.vmlinuz : command.file;
    for (const auto& [key, path] :
         {std::pair{"vmlinuz", file}, std::pair{"modules", command.modules}, std::pair{"initrd", command.initrd}}) {
        if (!path.empty()) {
            map.emplace(key, sdbus::Variant{absolute_path_of(path)});
        }
    }
    if (command.force) {
        map.emplace("force", sdbus::Variant{true});
    }
    put_settings(map);
    return make_one(
        command.report, "kernel " + command.name, [&](ManagerProxy& manager) { return manager.ImportKernel(map); },
        describe_kernel);
}

void add_common(Command app, ImportCommand& command)
{
    app.option("--name", command.name, "its name (default_kernel of config.toml, debian)").value_name("NAME");
    app.flag("-f,--force", command.force, "bring it in again although it exists");
    command.report.add_to(app);
}

}  // namespace

void add_kernel_making(Command kernel, Context& context)
{
    const auto package = std::make_shared<ImportCommand>();
    const auto pull = add_command(kernel, context, "pull", "Fetch a distribution's kernel package",
                                  [package] { return bring(*package); });
    const auto by_name = pull.option("PACKAGE", package->package, "of the suite's, such as linux-image-amd64");
    pull.option("--suite", package->suite, "bookworm, trixie, jammy or noble (this host's, if a Debian's)")
        .value_name("SUITE");
    pull.option("--flavour,--flavor", package->flavour, "cloud: what a VM needs; generic: all drivers (cloud)")
        .value_name("FLAVOUR")
        .excludes(by_name);
    add_common(pull, *package);
    const auto command = std::make_shared<ImportCommand>();
    const auto app = add_command(kernel, context, "import", "Bring in a kernel of yours, or else a distribution's",
                                 [command] { return bring(*command); });
    const auto file = app.option("FILE", command->file, "a bzImage (vmlinuz) or an ELF vmlinux").not_empty();
    const auto suite = app.option("--suite", command->suite, "bookworm, trixie, jammy or noble").value_name("SUITE");
    const auto vmlinuz =
        app.option("--vmlinuz", command->vmlinuz, "the same as FILE").value_name("FILE").not_empty().excludes(file);
    const auto modules =
        app.option("--modules", command->modules, "its /lib/modules/VERSION folder; none: all it needs is built in")
            .value_name("FOLDER")
            .not_empty()
            .excludes(suite);
    const auto initrd = app.option("--initrd", command->initrd, "unpacked by the kernel before banger's own")
                            .value_name("FILE")
                            .not_empty()
                            .excludes(suite);
    for (const auto& path : {file, vmlinuz, modules, initrd}) {
        note_paths(context, path);
    }
    suite.excludes(file);
    suite.excludes(vmlinuz);
    add_common(app, *command);
}

}  // namespace banger::cli
