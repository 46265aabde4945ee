// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// Another host, as `banger -H` names it.
struct SshHost {
    std::string name;  ///< a name, an address, or an alias of ssh_config(5)
    std::string user;  ///< "": ssh's own choice
    std::string port;  ///< the same

    bool operator==(const SshHost&) const = default;
};

/// Shape: ssh://[USER@]HOST[:PORT], an IPv6 address in brackets. Nothing in it can be taken for an option of ssh's. Throws InvalidArgument.
SshHost parse_ssh_host(std::string_view text);

/// Shown: it has none, but what it prints comes to one here.
enum class RemoteTerminal { None, Shown, Own };

/// ssh(1) and its words that run `banger WORDS` there. With a terminal of its own a lost connection ends what runs there, by the terminal's end; without
/// one `banger internal attached` sees to that.
std::vector<std::string> ssh_words(const SshHost& host, RemoteTerminal terminal, const std::vector<std::string>& words);

/// This process becomes ssh, its words as ssh_words() gives them. Throws HostLacks, Failed.
[[noreturn]] void become_ssh(std::vector<std::string> words);

/// A line's -H, and the rest of the line: it comes before anything else.
struct HostSplit {
    std::optional<std::string> host;  ///< nullopt: none; an empty one is a host all the same, and a wrong one
    std::vector<std::string> rest;
};
HostSplit split_host(const std::vector<std::string>& words);

}  // namespace banger::cli
