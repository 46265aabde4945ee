// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_create.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/execution.hpp"
#include "cli/commands/workspace.hpp"
#include "cli/view/output.hpp"
#include "common/size.hpp"

#include <memory>

namespace banger::cli {
namespace {

struct CreateCommand {
    CreateOptions options;
    bool no_start{false};
    bool json{false};
    bool quiet{false};
};

struct RunCommand {
    CreateOptions options;
    ExecutionOptions execution;
    WorkspaceOptions workspace;
    std::optional<std::string> path{};
    std::optional<std::string> entrypoint{};
    bool remove{false};
    bool detach{false};
    bool quiet{false};
};

void say_plan(const Created& created, bool json)
{
    if (json) {
        print_json(JsonValue{{"name", created.name}, {"plan", created.plan}});
    } else {
        print(created.plan + "\n");
    }
}

int create(const CreateCommand& command)
{
    auto map = command.options.to_map();
    if (command.no_start) {
        map.emplace("start", sdbus::Variant{false});
    }
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto progress = make_progress(command.json    ? ProgressForm::Json
                                        : command.quiet ? ProgressForm::Silent
                                                        : ProgressForm::Automatic);
    try {
        const auto created = Creation{*agent, signals, *progress}.run(command.options, map);
        if (command.options.dry_run) {
            say_plan(created, command.json);
        } else if (command.json) {
            print_json(JsonValue{{"name", created.name}, {"id", created.id}});
        } else {
            print(created.name + "\n");
        }
    } catch (const Interrupted& interrupted) {
        return exit_code_of_signal(interrupted.signal);
    }
    return 0;
}

/// `vm run` at work.
class Run {
public:
    Run(const RunCommand& command, std::vector<std::string> words, std::optional<Snapshot> snapshot)
        : command_{&command},
          words_{std::move(words)},
          snapshot_{std::move(snapshot)},
          signals_{command_signals},
          progress_{make_progress(command.quiet ? ProgressForm::Silent : ProgressForm::Automatic)}
    {
    }

    int run(VariantMap map)
    {
        add_removal(map);
        agent_ = Agent::connect(WhenAbsent::Start);
        check_room();
        Creation creation{*agent_, signals_, *progress_};
        Created created;
        try {
            created = creation.run(command_->options, map);
        } catch (const Interrupted& interrupted) {
            remove(creation.path());
            return exit_code_of_signal(interrupted.signal);
        } catch (...) {
            remove(creation.path());
            throw;
        }
        if (command_->options.dry_run) {
            say_plan(created, false);
            return 0;
        }
        return go_on(created);
    }

private:
    void add_removal(VariantMap& map)
    {
        if (command_->remove) {
            map.emplace("remove_on_stop", sdbus::Variant{true});
            if (!command_->detach) {
                lease_ = make_lease();
                map.emplace("lease", sdbus::Variant{bus::give_fd(std::move(lease_.theirs))});
            }
        }
    }
    /// Where --disk-size says nothing, what the settings say counts.
    void check_room();
    int go_on(const Created& created);
    CommandEnd execute_in(const Created& created);
    CommandEnd leave_running(VmProxy& vm, const ExecutionOptions& options);
    /// With --rm: waits until nothing of it is left. Never throws: the command's own end is what counts.
    void remove(const std::optional<std::string>& path) noexcept;
    /// The same, and of the user's repository what export would have started from.
    void clean_up(const Created& created) noexcept;

    const RunCommand* command_;
    std::vector<std::string> words_;
    std::optional<Snapshot> snapshot_;
    SignalInbox signals_;
    std::unique_ptr<Progress> progress_;
    std::unique_ptr<Agent> agent_;
    Lease lease_;
};

void refuse_too_large(const std::string& path, std::uint64_t bytes, const std::string& room)
{
    throw Error{ErrorCode::InvalidArgument,
                path + " has " + ByteSize{bytes}.to_string() + " with git's copy of it, more than " + room};
}

void Run::check_room()
{
    if (!snapshot_ || command_->options.disk) {
        return;
    }
    const auto usual = configured_value(agent_->manager(), "vm_defaults.disk_size");
    if (usual && snapshot_->bytes > ByteSize::parse(*usual).bytes()) {
        refuse_too_large(*command_->path, snapshot_->bytes,
                         "the " + *usual + " of a new VM's disk at /root; make it larger: --disk-size SIZE");
    }
}

CommandEnd Run::execute_in(const Created& created)
{
    VmProxy vm{agent_->connection(), created.path};
    auto options = command_->execution;
    if (snapshot_) {
        if (const auto signal = send_snapshot(*agent_, vm, created.id, *snapshot_, command_->quiet, &signals_)) {
            throw Interrupted{*signal};
        }
        snapshot_->folder.reset();  // it may be as large as the work tree, and the command may go on for days
        options.folder = options.folder.empty() ? guest_repository : options.folder;
        options.user = options.user.empty() ? "root" : options.user;  // whose /root is, whatever the image says
    }
    options.as_image_says = !command_->entrypoint;
    if (!command_->detach) {
        return execute(vm, words_, options, Attach::Here, &signals_);
    }
    return leave_running(vm, options);
}

/// Without words what the image itself runs, if it does.
CommandEnd Run::leave_running(VmProxy& vm, const ExecutionOptions& options)
{
    if (words_.empty() && !options.as_image_says) {
        return {};
    }
    try {
        return execute(vm, words_, options, Attach::Nowhere, &signals_);
    } catch (const Error& error) {
        if (words_.empty() && error.code() == ErrorCode::NotFound) {
            return {};
        }
        throw;
    }
}

int Run::go_on(const Created& created)
{
    CommandEnd end;
    try {
        end = execute_in(created);
    } catch (const Interrupted& interrupted) {
        clean_up(created);
        return exit_code_of_signal(interrupted.signal);
    } catch (...) {
        clean_up(created);
        throw;
    }
    if (command_->detach) {
        print(created.name + "\n");
        return 0;
    }
    if (command_->remove) {
        clean_up(created);
    } else if (!command_->quiet) {
        remark(created.name + " stays; banger vm delete -f " + created.name + " removes it");
    }
    if (end.killed_by) {
        die_of(*end.killed_by);
    }
    return end.exit_code;
}

void Run::clean_up(const Created& created) noexcept
{
    remove(created.path);
    if (command_->remove && snapshot_) {
        drop_base(snapshot_->tree, created.id);
    }
}

void Run::remove(const std::optional<std::string>& path) noexcept
{
    if (!command_->remove || !path || *path == "/") {
        return;
    }
    try {
        VmProxy vm{agent_->connection(), *path};
        const auto operation = translated([&] { return vm.Delete(true); });
        const auto silent = make_progress(ProgressForm::Silent);
        OperationWatch watch{*agent_, signals_, *silent};
        watch.add("", operation);
        const auto outcome = std::move(watch.wait().front());
        if (outcome.error && outcome.error->code() != ErrorCode::NotFound) {
            report(*outcome.error);
        }
    } catch (const Error& error) {
        // A VM that stopped is deleted by bangerd itself.
        if (error.code() != ErrorCode::NotFound) {
            report(error);
        }
    } catch (const std::exception& error) {
        complain(error.what());
    }
}

/// Before a VM is made, and before signals are held back: reading a large tree takes its time.
std::optional<Snapshot> snapshot_of(const RunCommand& command)
{
    if (!command.path) {
        if (command.workspace.any()) {
            throw Error{ErrorCode::InvalidArgument,
                        "--include-untracked, --branch and --from are about a work tree; name it: banger vm run PATH"};
        }
        return std::nullopt;
    }
    auto snapshot = command.workspace.take(*command.path, false, command.quiet);
    if (command.options.disk && snapshot.bytes > ByteSize::parse(*command.options.disk).bytes()) {
        refuse_too_large(*command.path, snapshot.bytes, "--disk-size " + *command.options.disk);
    }
    return snapshot;
}

}  // namespace

void add_vm_create(Command vm, Context& context)
{
    const auto command = std::make_shared<CreateCommand>();
    const auto app = add_command(vm, context, "create", "Make a VM and start it; prints its name",
                                 [command] { return create(*command); });
    command->options.add_to(app);
    app.flag("--no-start", command->no_start, "make it, but don't start it");
    const auto json = app.flag("--json", command->json, "result as JSON; progress as JSON lines on standard error");
    app.flag("-q,--quiet", command->quiet, "no progress").excludes(json);
}

void add_vm_run(Command vm, Context& context)
{
    const auto command = std::make_shared<RunCommand>();
    const auto app = add_command(
        vm, context, "run", "Make a VM and run a command in it, or a shell; exits as the command does",
        [command, &context] {
            auto map = command->options.to_map();
            context.exit_rule = ExitRule::CommandCodes;
            auto words = context.tail;
            if (command->entrypoint && !command->entrypoint->empty()) {
                words.insert(words.begin(), *command->entrypoint);
            }
            return Run{*command, std::move(words), snapshot_of(*command)}.run(std::move(map));
        },
        Tail::Taken);
    note_paths(context, app.option("PATH", command->path,
                                   "a git work tree: its tracked files go to /root/repo, where the command starts"));
    command->options.add_to(app);
    command->workspace.add_to(app);
    command->execution.add_to(app);
    app.option("--entrypoint", command->entrypoint, "in place of the image's own; \"\": none").value_name("PROGRAM");
    app.flag("--rm", command->remove, "delete the VM when the command has ended, or banger has, in whatever way");
    app.flag("-d,--detach", command->detach, "leave it running, print its name");
    app.flag("-q,--quiet", command->quiet, "neither progress nor a word about the VM that stays");
    app.footer(
        "Words after -- are the command: banger vm run --rm . -- make test\n"
        "In a VM of a pulled image they follow its entrypoint; without any its own command runs, as docker run has "
        "it.\n"
        "banger vm workspace export brings changes at /root/repo back.\n"
        "Exit codes: the command's own; 125 banger failed, 126 not runnable, 127 not found.");
}

}  // namespace banger::cli
