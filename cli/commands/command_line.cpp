// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/command_line.hpp"

#include "cli/commands/artifacts.hpp"
#include "cli/commands/completion.hpp"
#include "cli/commands/config.hpp"
#include "cli/commands/daemon.hpp"
#include "cli/commands/internal_nat.hpp"
#include "cli/commands/internal_window.hpp"
#include "cli/commands/runtime.hpp"
#include "cli/commands/ssh_config.hpp"
#include "cli/commands/there.hpp"
#include "cli/commands/tui.hpp"
#include "cli/commands/vm_cp.hpp"
#include "cli/commands/vm_create.hpp"
#include "cli/commands/vm_exec.hpp"
#include "cli/commands/vm_life.hpp"
#include "cli/commands/vm_list.hpp"
#include "cli/commands/vm_logs.hpp"
#include "cli/commands/vm_ports.hpp"
#include "cli/commands/vm_ssh.hpp"
#include "cli/commands/vm_stats.hpp"
#include "cli/commands/vm_transfer.hpp"
#include "cli/commands/vm_workspace.hpp"
#include "cli/view/output.hpp"
#include "common/nearest.hpp"

#include <algorithm>

namespace banger::cli {
namespace {

Command add_noun(Command root, const std::string& name, const std::string& description)
{
    const auto noun = root.subcommand(name, description);
    noun.require_subcommand();
    return noun;
}

void add_vm_commands(Command vm, Context& context)
{
    add_vm_run(vm, context);
    add_vm_create(vm, context);
    add_vm_list(vm, context, "list", Shown::All).alias("ls");
    add_vm_show(vm, context);
    add_vm_exec(vm, context);
    add_vm_ssh(vm, context);
    add_vm_cp(vm, context);
    add_vm_workspace(vm, context);
    add_vm_logs(vm, context);
    add_vm_stats(vm, context);
    add_vm_ports(vm, context);
    add_vm_forward(vm, context);
    add_vm_life(vm, context);
    add_vm_export(vm, context);
    add_vm_import(vm, context);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known)
{
    const std::vector<std::string_view> views{known.begin(), known.end()};
    const auto near = nearest(word, views);
    return near ? "; did you mean " + std::string{*near} + "?" : "";
}

/// The first word that looks like an option of this command and is none.
std::string unknown_option(Command command, const std::vector<std::string>& words)
{
    for (const auto& word : words) {
        auto name = word.substr(0, word.find('='));
        if (name.size() > 1 && name.starts_with('-') && !command.find_option(name)) {
            return name;
        }
    }
    return "";
}

/// Of an option that is right, and in the wrong place.
std::string before_the_command(Command root, const std::string& path, const std::string& option)
{
    const bool is_host = root.find_option(option)->takes_value();
    return "; it goes before the command: banger " + option +
           (is_host ? " ssh://HOST" + path.substr(root.path().size()) : "");
}

/// "there is no command "lst"; did you mean list?"
std::string explain_refusal(Command root, const std::vector<std::string>& words, const Verdict& refusal)
{
    const auto [command, stray] = root.reach(words);
    const auto path = command.path();
    const auto see = "\nsee: " + path + " --help";
    if (!stray.empty()) {
        const auto name = stray.substr(0, 64);
        return (path == root.path() ? "there is no command \"" : "\"" + path + "\" has no command \"") + name + "\"" +
               suggestion(stray, command.subcommands()) + see;
    }
    if (refusal.kind == Verdict::Kind::TooManyWords) {
        if (const auto option = unknown_option(command, words); !option.empty()) {
            const auto hint = root.find_option(option) ? before_the_command(root, path, option)
                                                       : suggestion(option, command.options());
            return path + " has no option " + option + hint + see;
        }
        const bool takes_command = path == "banger vm run" || path == "banger vm exec";
        return path + ": a word too many" + (takes_command ? "; a command for the guest goes behind --" : "") + see;
    }
    if (command.has_subcommands()) {
        std::string names;
        for (const auto& name : command.subcommands()) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return path + " wants one of: " + names + see;
    }
    return refusal.text + see;
}

/// For the parser `[slug]` is a list of words, but as a path of `vm cp` it is a file's name.
void keep_brackets(Command root, std::vector<std::string>& words)
{
    if (root.reach(words).command.path() == "banger vm cp") {
        for (auto& word : words) {
            word.insert(0, word.starts_with('[') && word.ends_with(']') ? "./" : "");
        }
    }
}

}  // namespace

Parser make_command_line(Context& context)
{
    Parser parser{"banger", "Development sandboxes that are real virtual machines.", "banger " BANGER_VERSION};
    const auto root = parser.root();
    root.require_subcommand();
    root.option("-H,--host", context.host_text,
                "run the command on that host, by ssh and the banger there; files are its")
        .value_name("ssh://[USER@]HOST[:PORT]");
    add_vm_commands(add_noun(root, "vm", "Virtual machines"), context);
    add_image_commands(add_noun(root, "image", "Root file systems that VMs start from"), context);
    add_kernel_commands(add_noun(root, "kernel", "Kernels that VMs boot"), context);
    add_runtime_commands(add_noun(root, "runtime", "Firecracker, which banger fetches for you"), context);
    add_config_commands(add_noun(root, "config", "The settings in ~/.config/banger/config.toml"), context);
    add_daemon_commands(add_noun(root, "daemon", "bangerd, the program behind banger"), context);
    add_host_commands(root, context);
    add_vm_list(root, context, "ps", Shown::Running);
    add_tui(root, context);
    add_ssh_config(root, context);
    add_completion(root, context);
    const auto internal = add_noun(root, "internal", "What other programs call");
    internal.hide();
    add_internal_connect(internal, context);
    add_internal_known_hosts(internal, context);
    add_internal_complete(internal, context);
    add_internal_nat(internal, context);
    add_internal_wake(internal, context);
    add_internal_attached(internal, context);
    add_internal_window(internal, context);
    return parser;
}

int run_command_line(Context& context, std::span<char*> words)
{
    std::vector<std::string> line{words.begin(), words.end()};
    const auto border = std::find(line.begin(), line.end(), "--");
    if (border != line.end()) {
        // Bytes for a guest: the parser would read meaning into brackets and empty words.
        context.tail.assign(std::next(border), line.end());
        context.has_tail = true;
        line.erase(border, line.end());
    }
    auto split = split_host(line);
    line = std::move(split.rest);
    if (split.host) {
        context.host = parse_ssh_host(*split.host);
    }
    auto parser = make_command_line(context);
    keep_brackets(parser.root(), line);
    const auto verdict = parser.parse(line);
    if (verdict.kind == Verdict::Kind::Answered) {
        print(verdict.text);
        return 0;
    }
    if (verdict.kind != Verdict::Kind::Accepted) {
        complain(explain_refusal(parser.root(), line, verdict));
        return exit_usage;
    }
    if (context.has_tail && context.tail_use == Tail::Refused) {
        complain(context.chosen + " takes no words behind --; see: " + context.chosen + " --help");
        return exit_usage;
    }
    return context.host ? run_there(context, std::move(line)) : context.action();
}

}  // namespace banger::cli
