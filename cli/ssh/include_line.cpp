// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/include_line.hpp"

#include <strings.h>

#include <algorithm>

namespace banger::cli {
namespace {

constexpr std::string_view line_blanks = " \t\r\n\f";

std::string_view trimmed(std::string_view line)
{
    const auto begin = line.find_first_not_of(line_blanks);
    return begin == std::string_view::npos ? std::string_view{}
                                           : line.substr(begin, line.find_last_not_of(line_blanks) - begin + 1);
}

/// Takes the first line, its end included, off `text`.
std::string_view next_line(std::string_view& text)
{
    const auto end = text.find('\n');
    const auto line = text.substr(0, end == std::string_view::npos ? end : end + 1);
    text.remove_prefix(line.size());
    return line;
}

/// Keywords are of any case, and `=` or blanks end them.
bool begins_block(std::string_view line)
{
    const auto word = trimmed(line).substr(0, trimmed(line).find_first_of(" \t="));
    const auto is = [&word](std::string_view keyword) {
        return word.size() == keyword.size() && ::strncasecmp(word.data(), keyword.data(), keyword.size()) == 0;
    };
    return is("host") || is("match");
}

bool is_in_force(std::string_view text, std::string_view line)
{
    while (!text.empty()) {
        const auto one = next_line(text);
        if (trimmed(one) == line) {
            return true;
        }
        if (begins_block(one)) {
            return false;
        }
    }
    return false;
}

}  // namespace

std::string with_include(std::string_view text, std::string_view line)
{
    if (is_in_force(text, line)) {
        return std::string{text};
    }
    const auto first_end = text.find('\n');
    const bool has_returns = first_end != std::string_view::npos && first_end > 0 && text[first_end - 1] == '\r';
    return std::string{line} + (has_returns ? "\r\n" : "\n") + without_include(text, line);
}

std::string without_include(std::string_view text, std::string_view line)
{
    std::string rest;
    while (!text.empty()) {
        const auto one = next_line(text);
        if (trimmed(one) != line) {
            rest += one;
        }
    }
    return rest;
}

}  // namespace banger::cli
