// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_workspace.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>

#include "cli/commands/creation.hpp"
#include "cli/commands/execution.hpp"
#include "cli/commands/workspace.hpp"
#include "cli/copy/transfer.hpp"
#include "cli/view/escape.hpp"
#include "cli/view/meter.hpp"
#include "cli/view/output.hpp"
#include "cli/view/vm_numbers.hpp"
#include "cli/workspace/changes.hpp"
#include "common/size.hpp"

namespace banger::cli {
namespace {

struct PrepareCommand {
    std::string name;
    std::string path;
    WorkspaceOptions options;
    bool force{false};
    bool quiet{false};
};

struct ExportCommand {
    std::string name;
    std::string path{"."};
    std::string output{"-"};
    std::optional<std::string> branch{};
    std::string message;
    bool force{false};
    bool quiet{false};
};

/// A VM under the name that it was asked for by.
struct Target {
    std::unique_ptr<Agent> agent;
    std::unique_ptr<VmProxy> vm;
    std::string id;
    std::string name;
};

Target find_target(const std::string& name)
{
    Target target{Agent::connect(WhenAbsent::Start), nullptr, "", ""};
    target.vm = target.agent->find_vm(name);
    const auto properties = translated([&] { return target.vm->properties(); });
    target.id = text_of(properties, "Id");
    target.name = text_of(properties, "Name");
    return target;
}

/// Throws Failed when the guest can't.
void remove_in_guest(VmProxy& vm, const std::string& path)
{
    const auto end = execute_silently(vm, {"rm", "-rf", "--", path});
    if (end.exit_code != 0) {
        throw Error{ErrorCode::Failed, "the VM could not remove its " + path};
    }
}

/// Before anything is taken away or sent. Not of a guest that says nothing of its disk.
void check_room(const Target& target, const Snapshot& snapshot, bool replaces)
{
    const auto rows = translated([&] { return target.agent->manager().Stats({target.id}); });
    const auto numbers = rows.empty() ? Numbers{} : rows.front().template get<3>();
    const auto whole = known_number(numbers, "work_total").value_or(0);
    const auto room = replaces ? whole : known_number(numbers, "work_available").value_or(0);
    if (whole != 0 && snapshot.bytes > room) {
        throw Error{ErrorCode::NoSpace, snapshot.tree.root + " has " + ByteSize{snapshot.bytes}.to_string() +
                                            " with git's copy of it, and /root in " + target.name + " has " +
                                            ByteSize{room}.to_string() + (replaces ? "" : " free") +
                                            "; a larger disk: banger vm stop " + target.name + ", then banger vm set " +
                                            target.name + " --disk-size SIZE"};
    }
}

int prepare(const PrepareCommand& command)
{
    const auto snapshot = command.options.take(command.path, command.force, command.quiet);
    const auto target = find_target(command.name);
    const bool replaces = kind_in_guest(*target.vm, guest_repository).exists;
    if (replaces && !command.force) {
        throw Error{ErrorCode::AlreadyExists, target.name + " has a " + guest_repository +
                                                  " already; --force replaces it, and what was done there is lost"};
    }
    check_room(target, snapshot, replaces);
    if (replaces) {
        remove_in_guest(*target.vm, guest_repository);
    }
    send_snapshot(*target.agent, *target.vm, target.id, snapshot, command.quiet, nullptr);
    if (!command.quiet) {
        const auto files = snapshot.lists.front().names.size();
        remark(std::to_string(files) + (files == 1 ? " file of " : " files of ") + snapshot.tree.root + " are at " +
               guest_repository + " in " + target.name);
    }
    return 0;
}

/// A patch has what a guest wrote, which might drive a terminal.
void show_patch(const Changes& changes, const WorkFolder& folder)
{
    const std::string path = folder / "patch";
    const UniqueFd file{::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!file) {
        throw errno_error(path, errno);
    }
    changes.write_patch(file.get());
    StreamEscaper escaper;
    std::ifstream patch{path, std::ios::binary};
    for (std::string line; std::getline(patch, line);) {
        print(escaper.feed(line + "\n"));
    }
    print(escaper.finish());
}

/// Opens the file only now, as everything else has gone well: what was there before may be dear to somebody.
void put_patch(const Changes& changes, const std::string& output, const WorkFolder& folder)
{
    if (output == "-") {
        is_shown() ? show_patch(changes, folder) : changes.write_patch(STDOUT_FILENO);
        return;
    }
    const UniqueFd file{::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    if (!file) {
        throw errno_error("can't write " + output, errno);
    }
    changes.write_patch(file.get());
}

std::string branch_of(const ExportCommand& command, const Base& base)
{
    auto name = command.branch->empty() ? base.branch : *command.branch;
    if (name.empty()) {
        throw Error{
            ErrorCode::InvalidArgument,
            "the workspace was copied without --branch, so it has no branch of its own; name one: --branch NAME"};
    }
    return name;
}

void tell(const Changes& changes)
{
    for (const auto& path : changes.unfiltered()) {
        remark(path +
               " is one that git filters here (LFS or the like), which banger never does to a guest's files: it comes "
               "as it is");
    }
}

int bring_back(const ExportCommand& command)
{
    const auto tree = find_work_tree(command.path);
    const auto target = find_target(command.name);
    const auto base = find_base(tree, target.id, target.name);
    const auto branch = command.branch ? branch_of(command, base) : std::string{};
    if (command.branch) {
        check_new_branch(tree, branch, command.force);
    }
    const WorkFolder folder{work_folders()};
    {
        Meter meter{guest_repository, command.quiet};
        copy_out_to_inspect(*target.vm, guest_repository, folder / "", "files", guest_files(),
                            [&meter](std::size_t bytes) { meter.pass(bytes); });
    }
    const Changes changes{tree, base, folder / "files", folder};
    tell(changes);
    if (changes.none() && !command.quiet) {
        remark("nothing has changed in " + target.name);
    }
    if (!command.branch) {
        put_patch(changes, command.output, folder);
    } else if (!changes.none()) {
        const auto message = command.message.empty() ? "Changes made in the VM " + target.name : command.message;
        print(branch + " " + changes.make_branch(branch, message + "\n", command.force) + "\n");
    }
    return 0;
}

void add_prepare(Command workspace, Context& context)
{
    const auto command = std::make_shared<PrepareCommand>();
    const auto app = add_command(workspace, context, "prepare", "Copy a git work tree to /root/repo in a running VM",
                                 [command] { return prepare(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    note_paths(context, app.option("PATH", command->path, "a folder of the work tree").required());
    command->options.add_to(app);
    app.flag("-f,--force", command->force, "replace what is at /root/repo; a branch of that name may exist");
    app.flag("-q,--quiet", command->quiet, "neither progress nor a word at the end");
    app.footer(
        "The files go over as they are, with uncommitted changes; ignored ones and submodules don't. In the VM they "
        "are\n"
        "a git repository with one commit. Nothing of the work tree is changed; a ref in refs/banger/ remembers its "
        "state.");
}

void add_export(Command workspace, Context& context)
{
    const auto command = std::make_shared<ExportCommand>();
    const auto app = add_command(workspace, context, "export", "Bring the changes at /root/repo in a VM back",
                                 [command] { return bring_back(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    note_paths(context,
               app.option("PATH", command->path, "the work tree that was copied; else the one that this is called in"));
    const auto output =
        app.option("-o,--output", command->output, "where the patch goes; else standard output").value_name("FILE");
    note_paths(context, output);
    app.option("--branch", command->branch,
               "a commit on a new branch instead of a patch; without a name the one of prepare")
        .value_name("NAME")
        .may_lack_value()
        .excludes(output);
    app.option("-m,--message", command->message, "of that commit").value_name("TEXT");
    app.flag("-f,--force", command->force, "the branch may exist");
    app.flag("-q,--quiet", command->quiet, "neither progress nor remarks");
    app.footer(
        "A patch is for git apply; it holds what changed since the copy was made, files that git ignores left out.\n"
        "Commits made in the VM come as one change. Neither way touches the work tree or its index. Examples:\n"
        "  banger vm workspace export calm-otter | git apply\n"
        "  banger vm workspace export calm-otter --branch try-it");
}

}  // namespace

void add_vm_workspace(Command vm, Context& context)
{
    const auto workspace = vm.subcommand("workspace", "A git work tree's way into a VM and back");
    workspace.require_subcommand();
    add_prepare(workspace, context);
    add_export(workspace, context);
}

}  // namespace banger::cli
