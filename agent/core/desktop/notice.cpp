// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notice.hpp"

#include <array>

#include "common/text.hpp"

namespace banger::agent {
namespace {

struct NoticeActionRow {
    std::string_view word;
    std::string_view label;
};
constexpr std::array notice_actions{
    NoticeActionRow{"open-shell", "Open a shell"}, NoticeActionRow{"show-log", "Show the log"},
    NoticeActionRow{"start", "Start it again"},    NoticeActionRow{"new-sandbox", "New sandbox"},
    NoticeActionRow{"open-tui", "Show all"},
};

}  // namespace

std::string_view to_string(NoticeAction action) noexcept
{
    return notice_actions[static_cast<std::size_t>(action)].word;
}

std::string_view label_of(NoticeAction action) noexcept
{
    return notice_actions[static_cast<std::size_t>(action)].label;
}

std::string key_of_vm(const std::string& vm_id) { return "vm:" + vm_id; }

std::string notice_line(std::string_view text)
{
    constexpr std::size_t most = 240;  // three lines of a desktop's bubble
    auto line = shown(text, most);
    if (text.size() > most) {
        line += "...";
    }
    return line;
}

std::string escape_markup(std::string_view text)
{
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '&':
                escaped += "&amp;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

}  // namespace banger::agent
