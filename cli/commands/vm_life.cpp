// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_life.hpp"

#include "cli/commands/create_options.hpp"
#include "cli/commands/creation.hpp"
#include "cli/commands/daemon_boot.hpp"
#include "cli/connect/operation.hpp"
#include "cli/view/output.hpp"
#include "cli/view/question.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <optional>

namespace banger::cli {
namespace {

constexpr std::uint32_t default_ready_seconds = 120;

struct LifeCommand {
    std::vector<std::string> names;
    std::string timeout;
    std::string signal{"KILL"};
    bool force{false};
    bool quiet{false};
    bool json{false};
    bool marked{false};
};

ProgressForm form_of(const LifeCommand& command)
{
    return command.json ? ProgressForm::Json : command.quiet ? ProgressForm::Silent : ProgressForm::Automatic;
}

/// A guest that was ended rather than shut down may have lost what it had not synced; that is no failure of a stop, but is said.
void remark_unclean(const std::string& name, const Outcome& outcome)
{
    const auto clean = outcome.result.find("clean");
    if (clean != outcome.result.end() && clean->second.containsValueOfType<bool>() && !clean->second.get<bool>()) {
        remark(name + " did not shut down in time and was ended; what it had not synced is lost");
    }
}

/// A VM of a call; with its id where somebody was asked about it, as by the time of the answer another one may have its name.
struct NamedVm {
    std::string name;
    std::string id{};
};

std::vector<std::string> names_of(const std::vector<NamedVm>& targets)
{
    std::vector<std::string> names;
    for (const auto& target : targets) {
        names.push_back(target.name);
    }
    return names;
}

/// Begins an operation on each, then watches all of them. A VM that fails stops no other; one that was asked about and has gone meanwhile is no
/// failure.
int for_each_target(const LifeCommand& command, const std::vector<NamedVm>& targets,
                    const std::function<std::string(VmProxy&, const NamedVm&)>& begin)
{
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto progress = make_progress(form_of(command));
    OperationWatch watch{*agent, signals, *progress};
    Failures failures;
    std::vector<std::string> watched;
    for (const auto& target : targets) {
        try {
            const auto vm = agent->find_vm(target.id.empty() ? target.name : target.id);
            watch.add(target.name, translated([&] { return begin(*vm, target); }));
            watched.push_back(target.name);
        } catch (const Error& error) {
            if (target.id.empty() || error.code() != ErrorCode::NotFound) {
                failures.add(error);
            }
        }
    }
    const auto outcomes = watch.wait();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        if (outcomes[i].error && !watch.interrupted()) {
            failures.add(*outcomes[i].error);
        }
        remark_unclean(watched[i], outcomes[i]);
    }
    return watch.interrupted() ? exit_code_of_signal(*watch.interrupted()) : failures.exit_code();
}

using Begin = std::function<std::string(VmProxy&)>;

int for_each_vm(const LifeCommand& command, const Begin& begin)
{
    std::vector<NamedVm> targets;
    for (const auto& name : unique_names(command.names)) {
        targets.push_back({name});
    }
    return for_each_target(command, targets, [&begin](VmProxy& vm, const NamedVm&) { return begin(vm); });
}

std::uint32_t stop_limit_ms(const std::string& timeout)
{
    constexpr std::uint32_t ms_per_s = 1000;
    if (timeout.empty()) {
        return 0;
    }
    const auto seconds = parse_count(timeout, "--timeout");
    if (seconds > std::numeric_limits<std::uint32_t>::max() / ms_per_s) {
        throw Error{ErrorCode::InvalidArgument, "--timeout can't be " + timeout + " seconds"};
    }
    return std::max(1U, seconds * ms_per_s);  // 0 would mean the default
}

int start_marked(const LifeCommand& command)
{
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto progress = make_progress(form_of(command));
    OperationWatch watch{*agent, signals, *progress};
    watch.add("", translated([&] { return agent->manager().StartMarked(); }));
    const auto outcome = std::move(watch.wait().front());
    if (watch.interrupted()) {
        return exit_code_of_signal(*watch.interrupted());
    }
    if (outcome.error) {
        throw Error{*outcome.error};
    }
    if (const auto started = text_of(outcome.result, "started"); !command.quiet && !command.json) {
        remark(started.empty() ? "there is none to start: none is marked, or all of those run" : "started: " + started);
    }
    return 0;
}

int start(const LifeCommand& command)
{
    if (command.marked == !command.names.empty()) {
        throw Error{ErrorCode::InvalidArgument, "vm start wants names of VMs, or --marked"};
    }
    if (command.marked) {
        return start_marked(command);
    }
    const auto seconds = command.timeout.empty() ? default_ready_seconds : parse_count(command.timeout, "--timeout");
    return for_each_vm(command, [seconds](VmProxy& vm) { return vm.Start(seconds); });
}

int stop(const LifeCommand& command)
{
    return for_each_vm(command, [limit = stop_limit_ms(command.timeout)](VmProxy& vm) { return vm.Stop(limit); });
}

int restart(const LifeCommand& command)
{
    return for_each_vm(command, [limit = stop_limit_ms(command.timeout)](VmProxy& vm) { return vm.Restart(limit); });
}

std::string in_words(const std::vector<std::string>& names)
{
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) {
        text += i == 0 ? "" : i + 1 == names.size() ? " and " : ", ";
        text += names[i];
    }
    return text;
}

/// Those of these VMs that would have to be killed; one that can't be found is for the delete itself to tell.
std::vector<NamedVm> running_ones(const std::vector<std::string>& names)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    std::vector<NamedVm> running;
    for (const auto& name : unique_names(names)) {
        try {
            const auto vm = agent->find_vm(name);
            const auto properties = translated([&] { return vm->properties(); });
            const auto state = text_of(properties, "State");
            if (state != "stopped" && state != "failed") {
                running.push_back({name, text_of(properties, "Id")});
            }
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): as said
        }
    }
    return running;
}

/// Who sits at a terminal is asked before a VM that runs is killed; for a program, or without a terminal, it takes --force, or bangerd refuses.
int remove(const LifeCommand& command)
{
    std::vector<NamedVm> asked;
    if (!command.force && !command.json && can_ask()) {
        asked = running_ones(command.names);
        const auto* const verb = asked.size() == 1 ? " runs" : " run";
        if (!asked.empty() && !says_yes(in_words(names_of(asked)) + verb + "; kill and delete?")) {
            remark("nothing was deleted");
            return 0;
        }
    }
    std::vector<NamedVm> targets;
    for (const auto& name : unique_names(command.names)) {
        const auto at =
            std::find_if(asked.begin(), asked.end(), [&name](const NamedVm& one) { return one.name == name; });
        targets.push_back(at == asked.end() ? NamedVm{name} : *at);
    }
    // The yes was about those that ran then.
    return for_each_target(command, targets, [force = command.force](VmProxy& vm, const NamedVm& target) {
        return vm.Delete(force || !target.id.empty());
    });
}

/// VMs that are stopped, after a question. One that is started meanwhile is refused by bangerd.
int prune(const LifeCommand& command)
{
    const auto rows = translated([] {
        return Agent::connect(WhenAbsent::Start)->manager().ListVms({{"state", "stopped"}});
    });
    std::vector<NamedVm> stopped;
    for (const auto& row : rows) {
        stopped.push_back({row.get<1>(), row.get<0>()});
    }
    if (stopped.empty()) {
        remark("no VM is stopped");
        return 0;
    }
    if (!command.force) {
        if (command.json || !can_ask()) {
            throw Error{ErrorCode::InvalidArgument, "there is no terminal to ask at whether " +
                                                        in_words(names_of(stopped)) +
                                                        " may be deleted; --force does it without a question"};
        }
        if (!says_yes("delete " + in_words(names_of(stopped)) + " and what is on their disks?")) {
            remark("nothing was deleted");
            return 0;
        }
    }
    return for_each_target(command, stopped, [](VmProxy& vm, const NamedVm&) { return vm.Delete(false); });
}

struct SetCommand {
    LifeCommand life;
    std::optional<std::string> vcpus;
    std::optional<std::string> memory;
    std::optional<std::string> disk;
    std::optional<bool> nat;
    std::optional<std::string> overlay;
    std::optional<bool> autostart{};
};

int set(const SetCommand& command)
{
    auto change = change_of(command.vcpus, command.memory, command.disk);
    put_sandbox_options(change, command.nat, command.overlay);
    if (command.autostart) {
        change.emplace("autostart", sdbus::Variant{*command.autostart});
    }
    if (change.empty()) {
        throw Error{
            ErrorCode::InvalidArgument,
            "vm set wants --vcpu, --memory, --disk-size, --nat, --no-nat, --system-overlay-size, --autostart or "
            "--no-autostart"};
    }
    const int code = for_each_vm(command.life, [&change](VmProxy& vm) { return vm.Set(change); });
    if (code == 0 && command.autostart.value_or(false) && !command.life.quiet) {
        remark_unless_started();
    }
    return code;
}

int kill(const LifeCommand& command)
{
    const int signal = parse_signal(command.signal);
    const auto agent = Agent::connect(WhenAbsent::Start);
    Failures failures;
    for (const auto& name : unique_names(command.names)) {
        try {
            const auto vm = agent->find_vm(name);
            translated([&] { vm->Kill(signal); });
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    return failures.exit_code();
}

Command add(Command vm, Context& context, const std::shared_ptr<LifeCommand>& command, const std::string& verb,
            const std::string& description, int (*action)(const LifeCommand&))
{
    const auto app = add_command(vm, context, verb, description, [command, action] { return action(*command); });
    app.option("NAME", command->names, "names or ids").required();
    return app;
}

void add_progress_options(Command app, LifeCommand& command)
{
    const auto json = app.flag("--json", command.json, "progress as JSON lines on standard error");
    app.flag("-q,--quiet", command.quiet, "no progress").excludes(json);
}

}  // namespace

void add_vm_life(Command vm, Context& context)
{
    const auto timed = [&](const std::string& verb, const std::string& description, const std::string& limit,
                           int (*action)(const LifeCommand&)) {
        const auto command = std::make_shared<LifeCommand>();
        const auto app = add(vm, context, command, verb, description, action);
        app.option("--timeout", command->timeout, limit).value_name("SECONDS");
        add_progress_options(app, *command);
    };
    const auto starting = std::make_shared<LifeCommand>();
    const auto start_app = add_command(vm, context, "start", "Start VMs", [starting] { return start(*starting); });
    start_app.option("NAME", starting->names, "names or ids");
    start_app.flag("--marked", starting->marked,
                   "those that vm set --autostart has marked; the limit is 120 seconds each");
    start_app.option("--timeout", starting->timeout, "seconds that a guest may take to get ready (120); 0: no limit")
        .value_name("SECONDS");
    add_progress_options(start_app, *starting);
    timed("stop", "Shut VMs down; nothing that was written is lost",
          "seconds that a guest may take, then it is ended (10)", stop);
    timed("restart", "Stop VMs and start them again", "seconds that a guest may take to shut down (10)", restart);

    const auto setting = std::make_shared<SetCommand>();
    const auto set_app = add_command(vm, context, "set", "Change what VMs have; CPUs, memory and disk of stopped ones",
                                     [setting] { return set(*setting); });
    set_app.option("NAME", setting->life.names, "names or ids").required();
    set_app.option("--vcpu,--cpus", setting->vcpus, "virtual CPUs").value_name("N");
    set_app.option("--memory", setting->memory, "memory, in MiB or like 2G").value_name("SIZE");
    set_app.option("--disk-size", setting->disk, "the disk at /root, like 16G; it grows and never shrinks")
        .value_name("SIZE");
    set_app.flag("--nat,!--no-nat", setting->nat,
                 "a TAP whose guest reaches more than this host and your VMs, or no longer; at once");
    set_app
        .option("--system-overlay-size", setting->overlay,
                "what a dm-snapshot may come to on this host, like 32G; it grows, at once")
        .value_name("SIZE");
    set_app.flag("--autostart,!--no-autostart", setting->autostart,
                 "mark them: they start with the machine or your login (banger daemon enable), or no longer");
    add_progress_options(set_app, setting->life);

    const auto killing = std::make_shared<LifeCommand>();
    const auto kill_app =
        add(vm, context, killing, "kill", "Send a signal to VMs' processes, for when stop fails", kill);
    kill_app.option("-s,--signal", killing->signal, "a signal's name or number (KILL)").value_name("SIGNAL");

    const auto deleting = std::make_shared<LifeCommand>();
    const auto delete_app = add(vm, context, deleting, "delete", "Delete VMs and their disks", remove);
    delete_app.alias("rm");
    delete_app.flag("-f,--force", deleting->force, "running ones too, without a question; they are killed");
    add_progress_options(delete_app, *deleting);

    const auto pruning = std::make_shared<LifeCommand>();
    const auto prune_app = add_command(vm, context, "prune", "Delete all VMs that are stopped, after a question",
                                       [pruning] { return prune(*pruning); });
    prune_app.flag("-f,--force", pruning->force, "without the question");
    add_progress_options(prune_app, *pruning);
}

}  // namespace banger::cli
