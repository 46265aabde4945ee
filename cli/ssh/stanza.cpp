// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/stanza.hpp"

#include <algorithm>
#include <string_view>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::cli {
namespace {

/// In double quotes, which ssh and the shell read alike once nothing in them means something to either.
std::string quoted_path(const std::filesystem::path& path, std::string_view refused)
{
    const auto& text = path.native();
    const auto is_bad = [refused](unsigned char c) {
        return c < 0x20 || c == 0x7f || refused.find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (std::any_of(text.begin(), text.end(), is_bad)) {
        throw Error{ErrorCode::InvalidArgument,
                    "ssh's configuration can't hold the path " + shown(text, 256) + ", for the characters in it"};
    }
    return "\"" + text + "\"";
}

/// Where `%` begins one of ssh's tokens.
std::string token_path(const std::filesystem::path& path)
{
    std::string doubled;
    for (const char c : quoted_path(path, "\"\\$`")) {
        doubled += c == '%' ? std::string{"%%"} : std::string(1, c);
    }
    return doubled;
}

}  // namespace

std::string ssh_stanza(const std::filesystem::path& banger, const std::filesystem::path& key)
{
    const auto program = token_path(banger);
    // In quotes for the shell: ssh may be told a host by others, such as the URL of a git submodule.
    return "Host *.vm\n"
           "    User root\n"
           "    IdentityFile " +
           token_path(key) +
           "\n"
           "    IdentitiesOnly yes\n"
           "    ProxyCommand " +
           program +
           " internal connect '%h' %p\n"
           "    ProxyUseFdpass yes\n"
           "    KnownHostsCommand " +
           program +
           " internal known-hosts '%h' '%H'\n"
           "    UserKnownHostsFile /dev/null\n"
           "    GlobalKnownHostsFile /dev/null\n"
           "    StrictHostKeyChecking yes\n"
           "    CheckHostIP no\n"
           "    UpdateHostKeys no\n";
}

std::string ssh_option(const std::string& name, const std::string& value)
{
    const bool is_file = name == "IdentityFile" || name == "UserKnownHostsFile";
    return name + "=" + (is_file ? token_path(value) : value);
}

std::string include_line(const std::filesystem::path& file)
{
    return "Include " + quoted_path(file, "\"\\*?[]{}$");  // file names are patterns there
}

}  // namespace banger::cli
