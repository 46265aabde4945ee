// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/console_text.hpp"

namespace banger::cli::tui {
namespace {

constexpr char escape_byte = '\x1b';
constexpr char bell = '\x07';
constexpr std::size_t longest_sequence = 1024;  // one that doesn't end is none
constexpr std::size_t longest_line = 4096;      // what is beyond isn't kept
constexpr std::size_t tab_width = 8;

bool is_control(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20U || byte == 0x7FU;
}

bool is_between(char c, char first, char last) { return c >= first && c <= last; }

}  // namespace

void ConsoleText::feed(std::string_view bytes)
{
    for (const char c : bytes) {
        take(c);
    }
}

void ConsoleText::clear()
{
    lines_.clear();
    at_ = At::Ground;
    begins_again_ = false;
}

void ConsoleText::take(char c)
{
    if (at_ != At::Ground && (++sequence_length_ > longest_sequence || c == '\n')) {
        at_ = At::Ground;
    }
    switch (at_) {
        case At::Ground:
            take_ground(c);
            return;
        case At::Escape:
            take_escape(c);
            return;
        case At::Sequence:  // CSI: parameters, intermediates, then one byte that ends it
            if (c == escape_byte) {
                at_ = At::Escape;
            } else if (is_between(c, '@', '~')) {
                at_ = At::Ground;
            }
            return;
        case At::String:
        case At::StringEscape:
            take_in_string(c);
    }
}

void ConsoleText::take_ground(char c)
{
    switch (c) {
        case '\n':
            end_line();
            return;
        case '\r':
            begins_again_ = true;
            return;
        case escape_byte:
            at_ = At::Escape;
            sequence_length_ = 0;
            return;
        case '\t': {
            const auto used = lines_.empty() ? 0 : lines_.back().size();
            for (auto column = used; column == used || column % tab_width != 0; ++column) {
                write(' ');
            }
            return;
        }
        case '\b':
            if (!lines_.empty() && !lines_.back().empty()) {
                lines_.back().pop_back();
            }
            return;
        default:
            if (!is_control(c)) {
                write(c);
            }
    }
}

void ConsoleText::take_escape(char c)
{
    if (c == '[') {
        at_ = At::Sequence;
    } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
        at_ = At::String;
    } else if (!is_between(c, ' ', '/') && c != escape_byte) {  // an intermediate byte has more behind it
        at_ = At::Ground;
    }
}

/// Until BEL, or ESC and a backslash (ST).
void ConsoleText::take_in_string(char c)
{
    if (c == bell || (at_ == At::StringEscape && c == '\\')) {
        at_ = At::Ground;
    } else {
        at_ = c == escape_byte ? At::StringEscape : At::String;
    }
}

void ConsoleText::write(char c)
{
    if (lines_.empty()) {
        lines_.emplace_back();
    }
    if (begins_again_) {
        lines_.back().clear();
        begins_again_ = false;
    }
    if (lines_.back().size() < longest_line) {
        lines_.back() += c;
    }
}

void ConsoleText::end_line()
{
    begins_again_ = false;
    if (lines_.empty()) {
        lines_.emplace_back();
    }
    lines_.emplace_back();
    while (lines_.size() > most_lines_) {
        lines_.pop_front();
    }
}

}  // namespace banger::cli::tui
