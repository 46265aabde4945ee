// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/remote/ssh_host.hpp"

#include "cli/spawn.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>

#include <unistd.h>

namespace banger::cli {
namespace {

constexpr std::string_view ssh_scheme = "ssh://";
constexpr std::size_t longest_host = 253;

/// What runs on the other host, by its user's login shell: any that knows single quotes, and then sh. A login by ssh often has no ~/.local/bin in PATH.
constexpr std::string_view remote_script =
    "PATH=\"$PATH:$HOME/.local/bin:/usr/local/bin\"; "
    "command -v banger >/dev/null 2>&1 || { echo \"banger: there is no banger on $(uname -n); install it there\" >&2; "
    "exit 4; }; "
    "exec banger \"$@\"";

[[noreturn]] void refuse_host(std::string_view text, const std::string& why)
{
    throw Error{ErrorCode::InvalidArgument,
                "\"" + shown(text) + "\" is no host to run banger on: " + why + "; -H wants ssh://[USER@]HOST[:PORT]"};
}

bool is_made_of(std::string_view text, std::string_view more)
{
    return std::all_of(text.begin(), text.end(), [more](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    });
}

void check_part(std::string_view whole, std::string_view word, std::string_view more, const std::string& what)
{
    if (word.empty() || word.size() > longest_host || word.starts_with('-') || !is_made_of(word, more)) {
        refuse_host(whole, "its " + what + " is none");
    }
}

void check_port(std::string_view whole, std::string_view port)
{
    std::uint16_t number = 0;
    const auto [end, problem] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (problem != std::errc{} || end != port.data() + port.size() || number == 0) {
        refuse_host(whole, "its port is none");
    }
}

/// Takes the host's own part off the front; ":PORT" is left, or nothing.
std::string_view take_name(std::string_view whole, std::string_view& rest)
{
    if (!rest.starts_with('[')) {
        const auto name = rest.substr(0, rest.find(':'));
        rest.remove_prefix(name.size());
        check_part(whole, name, "._-", "name");
        return name;
    }
    const auto end = rest.find(']');
    if (end == std::string_view::npos) {
        refuse_host(whole, "its address has no end");
    }
    const auto name = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    check_part(whole, name, ":.%", "address");
    return name;
}

}  // namespace

SshHost parse_ssh_host(std::string_view text)
{
    if (!text.starts_with(ssh_scheme)) {
        refuse_host(text, "it does not begin with ssh://");
    }
    SshHost host;
    auto rest = text.substr(ssh_scheme.size());
    if (rest.ends_with('/')) {
        rest.remove_suffix(1);
    }
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        check_part(text, rest.substr(0, at), "._-", "user");
        host.user = rest.substr(0, at);
        rest.remove_prefix(at + 1);
    }
    host.name = take_name(text, rest);
    if (rest.starts_with(':')) {
        check_port(text, rest.substr(1));
        host.port = rest.substr(1);
    } else if (!rest.empty()) {
        refuse_host(text, "there is something behind its name");
    }
    return host;
}

std::vector<std::string> ssh_words(const SshHost& host, RemoteTerminal terminal, const std::vector<std::string>& words)
{
    const bool has_terminal = terminal == RemoteTerminal::Own;
    std::vector<std::string> argv{"ssh", has_terminal ? "-t" : "-T"};
    if (!host.port.empty()) {
        argv.insert(argv.end(), {"-p", host.port});
    }
    if (!host.user.empty()) {
        argv.insert(argv.end(), {"-l", host.user});
    }
    std::string command = "exec /bin/sh -c " + shell_word(remote_script) + " banger";
    if (!has_terminal) {
        command += terminal == RemoteTerminal::Shown ? " internal attached --shown --" : " internal attached --";
    }
    for (const auto& word : words) {
        command += " " + shell_word(word);
    }
    argv.insert(argv.end(), {"--", host.name, std::move(command)});
    return argv;
}

void become_ssh(std::vector<std::string> words)
{
    std::signal(SIGPIPE, SIG_DFL);
    ::execvp("ssh", pointers_to(words).data());
    if (errno == ENOENT) {
        throw Error{ErrorCode::HostLacks,
                    "ssh is not installed; as root: apt install openssh-client (banger vm exec needs none)"};
    }
    throw errno_error("can't run ssh", errno);
}

HostSplit split_host(const std::vector<std::string>& words)
{
    constexpr std::string_view short_form = "-H";
    constexpr std::string_view long_form = "--host";
    HostSplit split;
    auto at = words.begin();
    while (at != words.end()) {
        const std::string_view word{*at};
        if ((word == short_form || word == long_form) && std::next(at) != words.end()) {
            split.host = *std::next(at);
            at += 2;
        } else if (word.starts_with("--host=")) {
            split.host = word.substr(long_form.size() + 1);
            ++at;
        } else if (word.starts_with(short_form) && word.size() > short_form.size()) {
            split.host = word.substr(short_form.size());
            ++at;
        } else {
            break;
        }
    }
    split.rest.assign(at, words.end());
    return split;
}

}  // namespace banger::cli
