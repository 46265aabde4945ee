// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nft_listing.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "broker/core/sandbox.hpp"

namespace banger::broker {
namespace {

constexpr std::string_view comment_mark = "comment \"";
constexpr std::string_view handle_mark = " # handle ";

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        line.remove_prefix(std::min(line.find_first_not_of("\t "), line.size()));
        lines.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// "counter packets N bytes N" as "counter".
std::string without_counters(std::string_view line)
{
    constexpr std::string_view counter = "counter packets ";
    std::string text{line};
    const auto at = text.find(counter);
    if (at != std::string::npos) {
        const auto bytes = text.find(" bytes ", at);
        const auto end = text.find_first_not_of("0123456789", bytes + std::string_view{" bytes "}.size());
        text.erase(at + std::string_view{"counter"}.size(),
                   std::min(end, text.size()) - at - std::string_view{"counter"}.size());
    }
    return text;
}

std::string with_single_spaces(const std::string& text)
{
    std::string result;
    std::unique_copy(text.begin(), text.end(), std::back_inserter(result),
                     [](char one, char other) { return one == ' ' && other == ' '; });
    return result;
}

/// N of "iifname "bgrN" counter accept" and of its other direction; "" for anything else.
std::string tap_of(std::string_view rule)
{
    constexpr std::string_view rest = "\" counter accept";
    for (const std::string_view begin : {"iifname \"bgr", "oifname \"bgr"}) {
        if (!rule.starts_with(begin) || !rule.ends_with(rest) || rule.size() <= begin.size() + rest.size()) {
            continue;
        }
        const auto digits = rule.substr(begin.size(), rule.size() - begin.size() - rest.size());
        if (std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
            return "bgr" + std::string{digits};
        }
    }
    return "";
}

std::optional<ForeignRule> own_rule(std::string_view line)
{
    const auto handle_at = line.rfind(handle_mark);
    if (handle_at == std::string_view::npos) {
        return std::nullopt;
    }
    ForeignRule rule{"", "", 0, with_single_spaces(without_counters(line.substr(0, handle_at)))};
    const auto comment_at = rule.text.find(comment_mark);
    if (comment_at != std::string::npos) {
        const auto begin = comment_at + comment_mark.size();
        rule.altname = rule.text.substr(begin, rule.text.find('"', begin) - begin);
    }
    rule.tap =
        tap_of(std::string_view{rule.text}.substr(0, comment_at == std::string::npos ? comment_at : comment_at - 1));
    const auto digits = line.substr(handle_at + handle_mark.size());
    const auto [rest, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), rule.handle);
    const bool is_numbered = failure == std::errc{} && rest == digits.data() + digits.size();
    const bool is_named =
        rule.altname.starts_with(SandboxKey::mark_prefix) || (rule.altname.empty() && !rule.tap.empty());
    return is_numbered && is_named ? std::optional{std::move(rule)} : std::nullopt;
}

}  // namespace

std::vector<ForeignRule> own_rules(std::string_view listing)
{
    std::vector<ForeignRule> rules;
    for (const auto line : lines_of(listing)) {
        if (auto rule = own_rule(line)) {
            rules.push_back(std::move(*rule));
        }
    }
    return rules;
}

bool may_drop(std::string_view listing)
{
    // "xt target": one of iptables' own that nft can't show. Words in a comment may be mistaken for verdicts; two accepts more do no harm.
    constexpr std::array<std::string_view, 6> words{"policy drop", " drop", " reject", " jump ", " goto ", "xt target"};
    const auto lines = lines_of(listing);
    return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
        const auto has = [&](std::string_view word) { return line.find(word) != std::string_view::npos; };
        const bool bare = line.starts_with("drop") || line.starts_with("reject") || line.starts_with("jump ");
        return !own_rule(line) && (bare || std::any_of(words.begin(), words.end(), has));
    });
}

bool has_filter_chain(std::string_view listing, std::string_view chain)
{
    bool in_filter = false;
    for (const auto line : lines_of(listing)) {
        if (line.starts_with("table ")) {
            in_filter = line.starts_with("table ip filter ");
        } else if (in_filter && line.starts_with("chain " + std::string{chain} + " ")) {
            return true;
        }
    }
    return false;
}

}  // namespace banger::broker
