// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/package_list.hpp"

#include <algorithm>
#include <array>
#include <sstream>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// No std::regex: it takes stack for each letter.
bool is_package_name(std::string_view word)
{
    constexpr std::string_view first = "abcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::string_view more = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
    return word.size() >= 2 && first.find(word.front()) != std::string_view::npos &&
           word.find_first_not_of(more) == std::string_view::npos;
}

}  // namespace

ListedPackage parse_package(const std::string& word, const std::string& option)
{
    if (!is_package_name(word)) {
        throw Error{ErrorCode::InvalidArgument, option + ": \"" + shown(word) + "\" is no package name"};
    }
    return {word, option};
}

std::vector<ListedPackage> parse_package_list(std::string_view text, const std::string& name)
{
    std::vector<ListedPackage> packages;
    std::istringstream lines{std::string{text}};
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        const auto place = name + ":" + std::to_string(number);
        std::istringstream words{line.substr(0, line.find('#'))};
        for (std::string word; words >> word;) {
            packages.push_back(parse_package(word, place));
        }
    }
    return packages;
}

std::vector<std::string> package_names(const std::vector<ListedPackage>& packages)
{
    std::vector<std::string> names;
    for (const auto& package : packages) {
        names.push_back(package.name);
    }
    return names;
}

/// apt 2.6 and 3.0, in the locale C.
std::optional<std::string> unknown_package(std::string_view line)
{
    struct Frame {
        std::string_view before;
        std::string_view after;  ///< empty: to the end
    };
    constexpr std::array frames{
        Frame{"E: Unable to locate package ", ""}, Frame{"E: Package '", "' has no installation candidate"},
        Frame{"E: Couldn't find any package by regex '", "'"}, Frame{"E: Couldn't find any package by glob '", "'"},
        Frame{"E: Package ", " has no installation candidate"}};
    for (const auto& frame : frames) {
        const auto begin = line.find(frame.before);
        if (begin == std::string_view::npos) {
            continue;
        }
        auto word = line.substr(begin + frame.before.size());
        const auto end = frame.after.empty() ? word.find_last_not_of(" \r\n") + 1 : word.find(frame.after);
        if (end != std::string_view::npos && is_package_name(word.substr(0, end))) {
            return std::string{word.substr(0, end)};
        }
    }
    return std::nullopt;
}

std::string explain_unknown(const std::vector<std::string>& unknown, const std::vector<ListedPackage>& packages,
                            const std::string& suite)
{
    std::string sentence;
    for (const auto& name : unknown) {
        const auto at = std::find_if(packages.begin(), packages.end(),
                                     [&name](const ListedPackage& package) { return package.name == name; });
        sentence += (sentence.empty() ? "" : "; ") + (at != packages.end() ? at->place + ": " : "") +
                    "there is no package \"" + shown(name) + "\" in " + suite;
    }
    return sentence;
}

}  // namespace banger::agent
