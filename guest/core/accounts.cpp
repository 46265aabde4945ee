// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/accounts.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

#include "common/error.hpp"

namespace banger::guest {
namespace {

template <typename Number>
std::optional<Number> number(std::string_view text)
{
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty() ? std::optional{value}
                                                                                     : std::nullopt;
}

std::vector<std::string> split(const std::string& line, char separator)
{
    std::vector<std::string> fields{""};
    for (const char letter : line) {
        if (letter == separator) {
            fields.emplace_back();
        } else {
            fields.back().push_back(letter);
        }
    }
    return fields;
}

/// name:password:uid:gid:gecos:home:shell, passwd(5). Damaged lines are passed over.
std::optional<Account> account_of(const std::string& line)
{
    const auto fields = split(line, ':');
    if (fields.size() < 7) {
        return std::nullopt;
    }
    const auto uid = number<uid_t>(fields[2]);
    const auto gid = number<gid_t>(fields[3]);
    if (!uid || !gid) {
        return std::nullopt;
    }
    Account account{fields[0], *uid, *gid, {}, fields[5], fields[6]};
    if (account.home.empty()) {
        account.home = "/";
    }
    if (account.shell.empty()) {
        account.shell = "/bin/sh";
    }
    return account;
}

template <typename Matches>
std::optional<Account> search(const std::string& etc, Matches matches)
{
    std::ifstream file{etc + "/passwd"};
    for (std::string line; std::getline(file, line);) {
        auto account = account_of(line);
        if (account && matches(*account)) {
            return account;
        }
    }
    return std::nullopt;
}

void add_groups(Account& account, const std::string& etc)
{
    account.groups = {account.gid};
    std::ifstream file{etc + "/group"};
    for (std::string line; std::getline(file, line);) {
        const auto fields = split(line, ':');
        if (fields.size() < 4) {
            continue;
        }
        const auto members = split(fields[3], ',');
        const auto gid = number<gid_t>(fields[2]);
        if (gid && *gid != account.gid && std::find(members.begin(), members.end(), account.name) != members.end()) {
            account.groups.push_back(*gid);
        }
    }
}

/// name:password:gid:members, group(5).
std::optional<gid_t> group_named(std::string_view name, const std::string& etc)
{
    std::ifstream file{etc + "/group"};
    for (std::string line; std::getline(file, line);) {
        const auto fields = split(line, ':');
        const auto gid = fields.size() >= 4 && fields[0] == name ? number<gid_t>(fields[2]) : std::nullopt;
        if (gid) {
            return gid;
        }
    }
    return std::nullopt;
}

/// Without its groups.
Account user_of(std::string_view word, const std::string& etc)
{
    if (const auto uid = number<uid_t>(word)) {
        const auto has_it = [&](const Account& candidate) { return candidate.uid == *uid; };
        // As docker has it: images whose user is a number without an account give the group root what he must write to.
        constexpr gid_t group_root = 0;
        return search(etc, has_it).value_or(Account{std::to_string(*uid), *uid, group_root, {}, "/", "/bin/sh"});
    }
    auto account = search(etc, [&](const Account& candidate) { return candidate.name == word; });
    if (!account) {
        throw Error{ErrorCode::NotFound, "The guest has no user named \"" + std::string{word} + "\" in /etc/passwd"};
    }
    return *account;
}

}  // namespace

Account find_account(std::string_view spec, const std::string& etc)
{
    if (spec.empty() || spec == "root") {
        auto root = user_of("0", etc);
        if (root.name == "0") {
            root.name = "root";
            root.home = "/root";
        }
        add_groups(root, etc);
        return root;
    }
    const auto colon = spec.find(':');
    auto account = user_of(spec.substr(0, colon), etc);
    if (colon == std::string_view::npos) {
        add_groups(account, etc);
        return account;
    }
    const auto word = spec.substr(colon + 1);
    const auto by_number = number<gid_t>(word);
    const auto gid = by_number ? by_number : group_named(word, etc);
    if (!gid) {
        throw Error{ErrorCode::NotFound, "The guest has no group named \"" + std::string{word} + "\" in /etc/group"};
    }
    account.gid = *gid;
    account.groups = {*gid};
    return account;
}

}  // namespace banger::guest
