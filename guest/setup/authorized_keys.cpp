// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/authorized_keys.hpp"

#include <algorithm>
#include <sstream>

namespace banger::guest {
namespace {

constexpr std::string_view begin_mark = "# banger: keys of the host's user, replaced at each boot";
constexpr std::string_view end_mark = "# banger: end";

}  // namespace

std::string with_keys(const std::string& file, const std::vector<std::string>& keys)
{
    std::string result;
    bool ours = false;
    std::istringstream lines{file};
    for (std::string line; std::getline(lines, line);) {
        if (line == begin_mark) {
            ours = true;
        } else if (ours && line == end_mark) {
            ours = false;
        } else if (!ours) {
            result += line + "\n";
        }
    }
    if (keys.empty()) {
        return result;
    }
    result += std::string{begin_mark} + "\n";
    for (const auto& key : keys) {
        result += key.substr(0, key.find('\n')) + "\n";
    }
    return result + std::string{end_mark} + "\n";
}

void set_authorized_keys(const Rooted& root, const std::vector<std::string>& keys)
{
    const std::string path = "/root/.ssh/authorized_keys";
    const auto before = root.read(path);
    const auto after = with_keys(before.value_or(""), keys);
    if (after == before.value_or("")) {
        return;
    }
    root.make_folders("/root/.ssh", 0700);
    root.write(path, after, 0600);
}

}  // namespace banger::guest
