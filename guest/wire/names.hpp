// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace banger::wire {

/// The words by which an enum travels.
template <typename Enum, std::size_t Count>
struct Names {
    struct Row {
        Enum value;
        std::string_view word;
    };
    std::array<Row, Count> rows;

    constexpr std::string_view name(Enum value) const
    {
        for (const auto& row : rows) {
            if (row.value == value) {
                return row.word;
            }
        }
        return rows.back().word;
    }

    constexpr std::optional<Enum> find(std::string_view word) const
    {
        for (const auto& row : rows) {
            if (row.word == word) {
                return row.value;
            }
        }
        return std::nullopt;
    }
};

}  // namespace banger::wire
