// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/sheet.hpp"

namespace banger::cli::tui {
namespace {

std::string in_small_letters(std::string_view text)
{
    std::string small{text};
    for (char& c : small) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return small;
}

}  // namespace

bool passes(std::string_view text, std::string_view filter)
{
    const auto where = in_small_letters(text);
    const auto wanted = in_small_letters(filter);
    for (std::size_t begin = 0; begin < wanted.size();) {
        const auto end = std::min(wanted.find(' ', begin), wanted.size());
        if (where.find(wanted.substr(begin, end - begin)) == std::string::npos) {
            return false;
        }
        begin = end + 1;
    }
    return true;
}

}  // namespace banger::cli::tui
