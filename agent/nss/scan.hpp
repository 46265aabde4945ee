// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>

#include "agent/nss/entry.hpp"

namespace banger::nss {

/// The first line of a names file. Another format has another number, and is not read.
inline constexpr std::string_view header = "# banger names 1";

/// What is looked for: a name or, where there is none, an address (network byte order).
struct Question {
    std::string_view name;
    in_addr_t address{INADDR_ANY};
};

/// Looks through a names file that comes in pieces, however they are cut. Its memory is one line.
class Scan {
public:
    explicit Scan(const Question& question) noexcept : question_{question} {}
    /// False: this is no names file, and the rest need not be read.
    bool feed(std::span<const char> piece) noexcept;
    /// After the last piece: the first line that fits. None also for a file with one line that is wrong, wherever that is.
    std::optional<Entry> end() const noexcept { return good_ && headed_ && size_ == 0 ? found_ : std::nullopt; }

private:
    bool take_line() noexcept;

    Question question_;
    std::array<char, line_limit> line_{};
    std::size_t size_{0};
    bool headed_{false};
    bool good_{true};
    std::optional<Entry> found_;
};

}  // namespace banger::nss
