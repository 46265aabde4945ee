// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_exec.hpp"

#include "cli/commands/execution.hpp"
#include "cli/view/output.hpp"

#include <memory>

namespace banger::cli {
namespace {

struct ExecCommand {
    ExecutionOptions options;
    std::string name;
    bool detach{false};
};

int exec(const ExecCommand& command, const std::vector<std::string>& words)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(command.name);
    const auto end = execute(*vm, words, command.options, command.detach ? Attach::Nowhere : Attach::Here, nullptr);
    if (end.killed_by) {
        die_of(*end.killed_by);
    }
    return end.exit_code;
}

}  // namespace

void add_vm_exec(Command vm, Context& context)
{
    const auto command = std::make_shared<ExecCommand>();
    const auto app = add_command(
        vm, context, "exec", "Run a command in a running VM, or a shell; exits as the command does",
        [command, &context] {
            context.exit_rule = ExitRule::CommandCodes;
            return exec(*command, context.tail);
        },
        Tail::Taken);
    app.option("NAME", command->name, "the VM's name or id").required();
    command->options.add_to(app);
    app.flag("-d,--detach", command->detach, "leave the command running, without its output");
    app.footer(
        "Words after -- are the command: banger vm exec calm-otter -- uname -a\n"
        "Exit codes: the command's own; 125 banger failed, 126 not runnable, 127 not found.");
}

}  // namespace banger::cli
