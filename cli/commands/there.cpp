// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/there.hpp"

#include "cli/copy/endpoint.hpp"
#include "cli/remote/companion.hpp"
#include "cli/view/output.hpp"

#include <csignal>
#include <cstdlib>
#include <memory>

#include <unistd.h>

namespace banger::cli {
namespace {

/// There is no current folder there: `.` would be the home, and a file of the same name another one.
void check_paths(const Context& context)
{
    auto paths = context.paths;
    for (const auto& word : context.tail) {
        if (context.tail_use == Tail::Paths && !parse_endpoint(word).vm) {
            paths.push_back(word);
        }
    }
    for (const auto& path : paths) {
        if (path != "-" && !path.starts_with('/')) {
            throw Error{
                ErrorCode::InvalidArgument,
                "with -H files are the other host's, so \"" + path +
                    "\" must be an absolute path there; what is here goes through standard input: tar c FOLDER | "
                    "banger -H HOST vm cp - VM:/srv"};
        }
    }
}

int run_attached(const std::vector<std::string>& words, bool shown)
{
    if (shown) {
        ::setenv(shown_variable, "1", 1);
    }
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    std::vector<std::string> argv{"banger"};
    argv.insert(argv.end(), words.begin(), words.end());
    Companion banger{"/proc/self/exe", std::move(argv), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}};
    return banger.wait(signals, STDOUT_FILENO);
}

}  // namespace

int run_there(const Context& context, std::vector<std::string> words)
{
    if (context.chosen.starts_with("banger internal")) {
        throw Error{ErrorCode::InvalidArgument, context.chosen + " is for this host's programs, and takes no -H"};
    }
    check_paths(context);
    if (const auto own = context.there.find(context.chosen); own != context.there.end()) {
        return own->second(*context.host);
    }
    if (context.has_tail) {
        words.emplace_back("--");
        words.insert(words.end(), context.tail.begin(), context.tail.end());
    }
    const bool both = is_terminal(STDIN_FILENO) && is_terminal(STDOUT_FILENO);
    const auto without = is_shown() ? RemoteTerminal::Shown : RemoteTerminal::None;
    become_ssh(ssh_words(*context.host, both ? RemoteTerminal::Own : without, words));
}

void add_internal_attached(Command internal, Context& context)
{
    const auto shown = std::make_shared<bool>(false);
    const auto app = add_command(
        internal, context, "attached", "Run banger for another host's, as long as that is there",
        [&context, shown] { return run_attached(context.tail, *shown); }, Tail::Taken);
    app.flag("--shown", *shown, "what it prints comes to a terminal there");
}

}  // namespace banger::cli
