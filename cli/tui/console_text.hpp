// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

namespace banger::cli::tui {

/// The last lines of what a guest wrote on its console, which may be anything. Escape sequences (ECMA-48: colours, titles, movements) are
/// left out, whole or cut, a carriage return begins the line again, tabs are filled up with blanks. What is left are bytes of any kind, for harmless().
class ConsoleText {
public:
    explicit ConsoleText(std::size_t most_lines = 500) : most_lines_{most_lines} {}

    void feed(std::string_view bytes);
    void clear();
    /// The last one may not be finished.
    const std::deque<std::string>& lines() const noexcept { return lines_; }

private:
    enum class At { Ground, Escape, Sequence, String, StringEscape };

    void take(char c);
    void take_ground(char c);
    void take_escape(char c);
    void take_in_string(char c);
    void write(char c);
    void end_line();

    std::size_t most_lines_;
    std::deque<std::string> lines_;
    At at_{At::Ground};
    std::size_t sequence_length_{0};
    bool begins_again_{false};  ///< a carriage return was the last
};

}  // namespace banger::cli::tui
