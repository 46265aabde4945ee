// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/execution.hpp"

#include "cli/commands/context.hpp"
#include "cli/view/output.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

namespace banger::cli {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t flag_terminal = 1;
constexpr std::uint32_t flag_detached = 2;
constexpr std::uint32_t flag_image_settings = 4;
constexpr std::uint32_t flag_entrypoint = 8;
constexpr std::uint32_t flag_own_command = 16;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::vector<Bytes> argv_of(const std::vector<std::string>& words)
{
    const std::vector<std::string> login_shell{
        "/bin/sh", "-c",  // style: the guest's shell
        "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi"};
    std::vector<Bytes> argv;
    for (const auto& word : words.empty() ? login_shell : words) {
        argv.push_back(bytes_of(word));
    }
    return argv;
}

/// NAME=value as it is; NAME alone with the value that it has here, or nothing.
std::vector<Bytes> environment_of(const ExecutionOptions& options, TerminalMode mode)
{
    std::vector<Bytes> environment;
    const auto pass_on = [&environment](const std::string& name) {
        if (const char* value = std::getenv(name.c_str()); value != nullptr) {
            environment.push_back(bytes_of(name + "=" + value));
        }
    };
    if (mode == TerminalMode::Raw) {
        pass_on("TERM");
        pass_on("COLORTERM");
    }
    for (const auto& entry : options.environment) {
        if (entry.find('=') == std::string::npos) {
            pass_on(entry);
        } else {
            environment.push_back(bytes_of(entry));
        }
    }
    return environment;
}

std::uint32_t flags_of(const ExecutionOptions& options, bool has_words)
{
    const auto of_command = has_words ? flag_entrypoint : flag_own_command;
    return flag_image_settings | (options.as_image_says ? of_command : 0U);
}

TerminalMode mode_of(const ExecutionOptions& options, Attach attach)
{
    const bool both = is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO);
    const bool wanted = options.terminal || (both && !options.no_terminal);
    return wanted && attach == Attach::Here ? TerminalMode::Raw : TerminalMode::None;
}

}  // namespace

void ExecutionOptions::add_to(Command command)
{
    command.option("-e,--env", environment, "a variable for the command; NAME alone passes this one on")
        .value_name("NAME[=VALUE]");
    command.option("-w,--cwd", folder, "where it runs; else the image's folder, or the user's home")
        .value_name("FOLDER");
    command.option("-u,--user", user, "who runs it; else the image's user, or root").value_name("USER[:GROUP]");
    command.ignored_flag("-i,--interactive");  // what other tools want to hear; standard input always goes through
    const auto with = command.flag("-t,--tty", terminal, "with a terminal, also where this is none");
    command.flag("-T,--no-tty", no_terminal, "without a terminal").excludes(with);
}

CommandEnd execute_silently(VmProxy& vm, const std::vector<std::string>& words)
{
    const UniqueFd nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    auto [input, output, error, control] =
        translated([&] { return vm.Exec(argv_of(words), {}, {}, "", 0U, std::uint16_t{0}, std::uint16_t{0}); });
    CommandStreams streams{bus::take_fd(std::move(input)), bus::take_fd(std::move(output)),
                           bus::take_fd(std::move(error)), bus::take_fd(std::move(control))};
    return relay(std::move(streams), {nothing.get(), nothing.get(), nothing.get()}, TerminalMode::None, signals);
}

CommandEnd execute(VmProxy& vm, const std::vector<std::string>& words, const ExecutionOptions& options, Attach attach,
                   SignalInbox* signals)
{
    const auto mode = mode_of(options, attach);
    const auto size = mode == TerminalMode::Raw ? window_size() : WindowSize{};
    const auto flags = (mode == TerminalMode::Raw ? flag_terminal : 0U) |
                       (attach == Attach::Nowhere ? flag_detached : 0U) | flags_of(options, !words.empty());
    // A shell that nobody talks to would end at once.
    const bool needs_none = attach == Attach::Nowhere && options.as_image_says && words.empty();
    const auto argv = needs_none ? std::vector<Bytes>{} : argv_of(words);
    auto [input, output, error, control] = translated([&] {
        return vm.Exec(argv, environment_of(options, mode), bytes_of(options.folder), options.user, flags, size.rows,
                       size.columns);
    });
    CommandStreams streams{bus::take_fd(std::move(input)), bus::take_fd(std::move(output)),
                           bus::take_fd(std::move(error)), bus::take_fd(std::move(control))};
    if (attach == Attach::Nowhere) {
        return {};
    }
    // Not before: until the command runs, a signal may end banger at once, which hangs the command up.
    std::optional<SignalInbox> own;
    if (signals == nullptr) {
        own.emplace(command_signals);
        signals = &*own;
    }
    return relay(std::move(streams), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, mode, *signals);
}

}  // namespace banger::cli
