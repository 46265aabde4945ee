// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/image_making.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"
#include "cli/connect/environment.hpp"
#include "cli/view/output.hpp"
#include "common/size.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>

namespace banger::cli {
namespace {

struct BuildCommand {
    MakeReport report;
    std::string name;
    std::string suite;
    std::string size;
    std::vector<std::string> packages;
    std::vector<std::string> more;
    std::string packages_file;
    std::string base;
    std::string customize;
    bool docker{false};
    bool force{false};
};

struct RegisterCommand {
    MakeReport report;
    std::string file;
    std::string name;
    bool force{false};
};

struct PromoteCommand {
    MakeReport report;
    std::string vm;
    std::string name;
    bool stop{false};
    bool force{false};
};

struct VerifyCommand {
    std::vector<std::string> names;
    bool quiet{false};
};

/// With a slash in it, or there: a list. Else the name of a package, or several with commas or blanks between.
bool is_list(const std::string& word)
{
    std::error_code none;
    return word.find('/') != std::string::npos || std::filesystem::is_regular_file(word, none);
}

void add_words(std::vector<std::string>& packages, const std::string& text)
{
    constexpr auto separators = ", \t\n";
    for (std::size_t begin = text.find_first_not_of(separators); begin != std::string::npos;) {
        const auto end = std::min(text.find_first_of(separators, begin), text.size());
        packages.push_back(text.substr(begin, end - begin));
        begin = text.find_first_not_of(separators, end);
    }
}

void put_packages(VariantMap& map, const BuildCommand& command)
{
    auto packages = command.packages;
    std::vector<std::string> lists;
    for (const auto& word : command.more) {
        if (is_list(word)) {
            lists.push_back(absolute_path_of(word));
        } else {
            add_words(packages, word);
        }
    }
    if (!packages.empty()) {
        map.emplace("packages", sdbus::Variant{packages});
    }
    if (!lists.empty()) {
        map.emplace("more_packages_files", sdbus::Variant{lists});
    }
}

VariantMap options_of(const BuildCommand& command)
{
    VariantMap map;
    put_text(map, "name", command.name);
    put_text(map, "suite", command.suite);
    if (!command.size.empty()) {
        map.emplace("size_bytes", sdbus::Variant{ByteSize::parse(command.size).bytes()});
    }
    put_packages(map, command);
    if (!command.packages_file.empty()) {
        map.emplace("packages_file", sdbus::Variant{absolute_path_of(command.packages_file)});
    }
    // A name is what it is for everybody; only a path is of this folder.
    put_text(map, "base", command.base.find('/') != std::string::npos ? absolute_path_of(command.base) : command.base);
    if (!command.customize.empty()) {
        map.emplace("customize", sdbus::Variant{absolute_path_of(command.customize)});
    }
    for (const auto& [key, given] : {std::pair{"docker", command.docker}, std::pair{"force", command.force}}) {
        if (given) {
            map.emplace(key, sdbus::Variant{true});
        }
    }
    put_settings(map);
    return map;
}

int build(const BuildCommand& command)
{
    const auto map = options_of(command);
    return make_one(
        command.report, "image " + (command.name.empty() ? "build" : command.name),
        [&](ManagerProxy& manager) { return manager.BuildImage(map); }, describe_image);
}

VariantMap name_and_force(const std::string& name, bool force)
{
    VariantMap map{{"name", sdbus::Variant{name}}};
    if (force) {
        map.emplace("force", sdbus::Variant{true});
    }
    return map;
}

int register_file(const RegisterCommand& command)
{
    const auto map = name_and_force(command.name, command.force);
    const auto file = absolute_path_of(command.file);
    return make_one(
        command.report, "image " + command.name,
        [&](ManagerProxy& manager) { return manager.RegisterImage(file, map); }, describe_image);
}

int promote(const PromoteCommand& command)
{
    auto map = name_and_force(command.name, command.force);
    if (command.stop) {
        map.emplace("stop", sdbus::Variant{true});
    }
    return make_one(
        command.report, "image " + command.name,
        [&](ManagerProxy& manager) { return manager.PromoteVm(command.vm, map); }, describe_image);
}

std::vector<std::string> all_images(Agent& agent)
{
    std::vector<std::string> names;
    for (const auto& row : translated([&] { return agent.manager().ListImages(); })) {
        names.push_back(row.get<0>().empty() ? row.get<1>() : row.get<0>());
    }
    return names;
}

/// One after the other, as the disk is what they wait for. One that is damaged stops no other.
int verify(const VerifyCommand& command)
{
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto progress = make_progress(command.quiet ? ProgressForm::Silent : ProgressForm::Automatic);
    Failures failures;
    for (const auto& name : command.names.empty() ? all_images(*agent) : unique_names(command.names)) {
        try {
            OperationWatch watch{*agent, signals, *progress};
            watch.add(name, translated([&] {
                          ImageProxy image{agent->connection(), agent->manager().FindImage(name)};
                          return image.Verify();
                      }));
            const auto outcome = std::move(watch.wait().front());
            if (watch.interrupted()) {
                return exit_code_of_signal(*watch.interrupted());
            }
            if (outcome.error) {
                throw Error{*outcome.error};
            }
            if (!command.quiet) {
                print("image " + name + " is whole: " + text_of(outcome.result, "digest") + "\n");
            }
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    return failures.exit_code();
}

void add_build(Command image, Context& context)
{
    const auto command = std::make_shared<BuildCommand>();
    const auto app = add_command(image, context, "build", "Make an image from a distribution's packages",
                                 [command] { return build(*command); });
    app.option("--name", command->name, "its name (default_image of config.toml, debian)").value_name("NAME");
    app.option("--suite", command->suite, "bookworm, trixie, jammy or noble (this host's, if a Debian's)")
        .value_name("SUITE");
    app.option("--size", command->size, "of its file system (16G, or the base's)").value_name("SIZE");
    note_paths_with_slash(context, app.option("--packages", command->more,
                                              "more packages, or a file with them; may be given several times")
                                       .value_name("FILE|PACKAGES"));
    app.option("--package", command->packages, "one more package; may be given several times").value_name("PACKAGE");
    note_paths(context, app.option("--packages-file", command->packages_file, "a list in place of the usual packages")
                            .value_name("FILE")
                            .not_empty());
    app.flag("--docker", command->docker, "with Docker: docker run works in its VMs");
    note_paths_with_slash(
        context, app.option("--base", command->base,
                            "add the packages to this image, or to an ext4 in a file, whose programs you trust")
                     .value_name("IMAGE|FILE")
                     .not_empty());
    note_paths(context,
               app.option("--customize", command->customize, "a program that runs inside before the disk is made")
                   .value_name("FILE")
                   .not_empty());
    app.flag("-f,--force", command->force, "build it again although it is up to date, or was made in another way");
    command->report.add_to(app);
    app.footer("The log is kept: ~/.local/state/banger/image-build/NAME.log");
}

}  // namespace

void add_image_making(Command image, Context& context)
{
    add_build(image, context);
    const auto file = std::make_shared<RegisterCommand>();
    const auto taking = add_command(image, context, "register", "Take an ext4 file system in a file for an image",
                                    [file] { return register_file(*file); });
    note_paths(context, taking.option("FILE", file->file, "it stays as it is").required().not_empty());
    taking.option("--name", file->name, "of the image").value_name("NAME").required();
    taking.flag("-f,--force", file->force, "in place of an image of that name");
    file->report.add_to(taking);
    const auto vm = std::make_shared<PromoteCommand>();
    const auto promoting = add_command(image, context, "promote", "Make an image of a stopped VM's root disk",
                                       [vm] { return promote(*vm); });
    promoting.option("VM", vm->vm, "the VM's name or id").required();
    promoting.option("--name", vm->name, "of the image").value_name("NAME").required();
    promoting.flag("--stop", vm->stop, "shut the VM down first, where it runs");
    promoting.flag("-f,--force", vm->force, "in place of an image of that name");
    vm->report.add_to(promoting);
    promoting.footer("What is in /root stays behind: it is on a disk of its own.");
    const auto whole = std::make_shared<VerifyCommand>();
    const auto reading = add_command(image, context, "verify", "Read all of each image and compare it with its digest",
                                     [whole] { return verify(*whole); });
    reading.option("NAME", whole->names, "names or digests; none: all");
    reading.flag("-q,--quiet", whole->quiet, "say only what is damaged");
}

}  // namespace banger::cli
