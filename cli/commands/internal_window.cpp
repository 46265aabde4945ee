// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/internal_window.hpp"

#include "cli/relay/terminal.hpp"
#include "cli/signals.hpp"
#include "cli/tui/child.hpp"
#include "cli/view/output.hpp"
#include "cli/view/question.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>

#include <termios.h>
#include <unistd.h>

namespace banger::cli {
namespace {

/// What ends sooner, and badly, has said why. Later it was in use, and who used it knows; but for what went wrong with banger itself.
constexpr std::chrono::seconds until_in_use{15};

void wait_for_key()
{
    const RawTerminal raw{STDIN_FILENO};
    ::tcflush(STDIN_FILENO, TCIFLUSH);  // what was typed before wasn't meant for this
    char key{};
    while (::read(STDIN_FILENO, &key, 1) < 0 && errno == EINTR) {
    }
}

int run_in_window(const std::vector<std::string>& words)
{
    if (words.empty()) {
        throw Error{ErrorCode::InvalidArgument, "internal window wants a command's words behind --"};
    }
    const auto began = std::chrono::steady_clock::now();
    bool was_ended_by_keys = false;
    int code = 0;
    {
        SignalInbox signals{SIGINT, SIGQUIT};  // a terminal sends them to both
        code = tui::Child{words, tui::Child::Streams::Terminal}.exit_code();
        while (signals.take()) {
            was_ended_by_keys = true;
        }
    }
    const bool is_early = std::chrono::steady_clock::now() - began < until_in_use;
    if (code != 0 && (is_early || code == exit_own_failure) && !was_ended_by_keys && can_ask()) {
        remark("");
        remark("That ended with " + std::to_string(code) + ". Any key closes this window.");
        wait_for_key();
    }
    return code;
}

}  // namespace

void add_internal_window(Command internal, Context& context)
{
    add_command(
        internal, context, "window", "Run banger in a window of its own, which stays open where that fails at once",
        [&context] { return run_in_window(context.tail); }, Tail::Taken);
}

}  // namespace banger::cli
