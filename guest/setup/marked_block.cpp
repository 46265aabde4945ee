// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/marked_block.hpp"

#include <sstream>
#include <utility>

namespace banger::guest {
namespace {

constexpr std::string_view end_mark = "# banger: end";

}  // namespace

std::string with_block(const std::string& file, std::string_view begin_mark, const std::vector<std::string>& lines)
{
    std::string result;
    std::string open;  // behind a begin mark; whether it is ours its end mark says
    bool is_open = false;
    std::istringstream present{file};
    for (std::string line; std::getline(present, line);) {
        if (line == begin_mark) {
            result += std::exchange(open, {});
            is_open = true;
        } else if (is_open && line == end_mark) {
            open.clear();
            is_open = false;
        } else {
            (is_open ? open : result) += line + "\n";
        }
    }
    result += open;
    if (lines.empty()) {
        return result;
    }
    result.append(begin_mark).append("\n");
    for (const auto& line : lines) {
        result += line.substr(0, line.find('\n')) + "\n";
    }
    return result.append(end_mark).append("\n");
}

}  // namespace banger::guest
