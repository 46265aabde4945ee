// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_logs.hpp"

#include <unistd.h>

#include <memory>

#include "cli/commands/create_options.hpp"
#include "cli/connect/agent.hpp"
#include "cli/view/escape.hpp"
#include "cli/view/log_reader.hpp"
#include "cli/view/output.hpp"

namespace banger::cli {
namespace {

struct LogsCommand {
    std::string name;
    std::string which{"console"};
    std::string lines;
    bool follow{false};
    bool raw{false};
};

int logs(const LogsCommand& command)
{
    const auto all = command.lines.empty();
    const auto lines = all ? 0 : parse_count(command.lines, "--tail");
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(command.name);
    auto [descriptor, path] = translated([&] { return vm->OpenLog(command.which); });
    auto file = bus::take_fd(std::move(descriptor));
    const auto start = all ? 0 : start_of_tail(file.get(), lines);
    LogReader reader{std::move(file), path, start};
    StreamEscaper escaper;
    const bool escapes = is_shown() && !command.raw;
    const auto show = [&](std::string_view bytes) { print(escapes ? escaper.feed(bytes) : std::string{bytes}); };
    command.follow ? reader.follow(show) : reader.read(show);
    print(escaper.finish());
    return 0;
}

}  // namespace

void add_vm_logs(Command vm, Context& context)
{
    const auto command = std::make_shared<LogsCommand>();
    const auto app =
        add_command(vm, context, "logs", "Print what a VM wrote on its console", [command] { return logs(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    app.flag("-f,--follow", command->follow, "go on as it grows");
    app.option("-n,--tail", command->lines, "the last lines alone").value_name("LINES");
    app.option("--which", command->which, "console, or vmm: what the VMM itself said")
        .one_of({"console", "vmm", "all"})
        .value_name("LOG");
    app.flag("--raw", command->raw, "control characters as they are, also on a terminal: the guest may then drive it");
}

}  // namespace banger::cli
