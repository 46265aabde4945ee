// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/command_line.hpp"

#include "cli/commands/artifacts.hpp"
#include "cli/commands/command_tree.hpp"
#include "cli/commands/completion.hpp"
#include "cli/commands/daemon.hpp"
#include "cli/commands/help.hpp"
#include "cli/commands/runtime.hpp"
#include "cli/commands/vm_cp.hpp"
#include "cli/commands/vm_create.hpp"
#include "cli/commands/vm_exec.hpp"
#include "cli/commands/vm_life.hpp"
#include "cli/commands/vm_list.hpp"
#include "cli/commands/vm_logs.hpp"
#include "cli/commands/vm_ssh.hpp"
#include "cli/view/output.hpp"
#include "common/nearest.hpp"

#include <algorithm>

namespace banger::cli {
namespace {

CLI::App& add_noun(CLI::App& root, const std::string& name, const std::string& description)
{
    auto* noun = root.add_subcommand(name, description);
    noun->require_subcommand(1);
    return *noun;
}

void add_vm_commands(CLI::App& vm, Context& context)
{
    add_vm_run(vm, context);
    add_vm_create(vm, context);
    add_vm_list(vm, context, "list");
    vm.get_subcommand("list")->alias("ls");
    add_vm_show(vm, context);
    add_vm_exec(vm, context);
    add_vm_ssh(vm, context);
    add_vm_cp(vm, context);
    add_vm_logs(vm, context);
    add_vm_life(vm, context);
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known)
{
    const std::vector<std::string_view> views{known.begin(), known.end()};
    const auto near = nearest(word, views);
    return near ? "; did you mean " + std::string{*near} + "?" : "";
}

/// The first word that looks like an option of this command and is none.
std::string unknown_option(const CLI::App& command, const std::vector<std::string>& words)
{
    for (const auto& word : words) {
        const auto name = word.substr(0, word.find('='));
        if (name.size() > 1 && name.starts_with('-') && command.get_option_no_throw(name) == nullptr) {
            return name;
        }
    }
    return "";
}

}  // namespace

std::unique_ptr<CLI::App> make_command_line(Context& context)
{
    auto root = std::make_unique<CLI::App>("Development sandboxes that are real virtual machines.", "banger");
    root->formatter(std::make_shared<HelpFormatter>());
    root->set_version_flag("--version", "banger " BANGER_VERSION, "print the version");
    root->set_help_flag("-h,--help", "print this");
    root->require_subcommand(1);
    add_vm_commands(add_noun(*root, "vm", "Virtual machines"), context);
    add_image_commands(add_noun(*root, "image", "Root file systems that VMs start from"), context);
    add_kernel_commands(add_noun(*root, "kernel", "Kernels that VMs boot"), context);
    add_runtime_commands(add_noun(*root, "runtime", "Firecracker, which banger fetches for you"), context);
    add_daemon_commands(add_noun(*root, "daemon", "bangerd, the program behind banger"), context);
    add_host_commands(*root, context);
    add_vm_list(*root, context, "ps");
    add_completion(*root, context);
    auto& internal = add_noun(*root, "internal", "What other programs call");
    internal.group("");
    add_internal_connect(internal, context);
    add_internal_complete(internal, context);
    return root;
}

std::string explain_refusal(const CLI::App& root, const std::vector<std::string>& words, const CLI::ParseError& refusal)
{
    const auto [command, stray] = reach(root, words);
    const auto see = "\nsee: " + path_of(*command) + " --help";
    if (!stray.empty()) {
        const auto name = stray.substr(0, 64);
        return (command == &root ? "there is no command \"" : "\"" + path_of(*command) + "\" has no command \"") +
               name + "\"" + suggestion(stray, subcommands_of(*command)) + see;
    }
    if (dynamic_cast<const CLI::ExtrasError*>(&refusal) != nullptr) {
        if (const auto option = unknown_option(*command, words); !option.empty()) {
            return path_of(*command) + " has no option " + option + suggestion(option, options_of(*command)) + see;
        }
        const bool takes_command = command->get_name() == "run" || command->get_name() == "exec";
        return path_of(*command) + ": a word too many" +
               (takes_command ? "; a command for the guest goes behind --" : "") + see;
    }
    if (!command->get_subcommands({}).empty()) {
        std::string names;
        for (const auto& name : subcommands_of(*command)) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return path_of(*command) + " wants one of: " + names + see;
    }
    return refusal.what() + see;
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
    const auto root = make_command_line(context);
    try {
        root->parse(std::vector<std::string>{line.rbegin(), line.rend()});
    } catch (const CLI::CallForHelp&) {
        print(root->help());
        return 0;
    } catch (const CLI::CallForVersion& call) {
        print(std::string{call.what()} + "\n");
        return 0;
    } catch (const CLI::ParseError& refusal) {
        complain(explain_refusal(*root, line, refusal));
        return exit_usage;
    }
    if (context.has_tail && context.tail_use == Tail::Refused) {
        complain(path_of(*context.chosen) + " takes no words behind --; see: " + path_of(*context.chosen) + " --help");
        return exit_usage;
    }
    return context.action();
}

}  // namespace banger::cli
