// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace banger::broker {

/// Parses a TOML text. Throws InvalidArgument: "FILE:LINE: what is wrong".
toml::table parse_toml(std::string_view text, std::string_view file);

/// One table of a TOML text, read key by key; whatever is wrong is an InvalidArgument "FILE:LINE: what". The table must outlive it.
class TomlReader {
public:
    TomlReader(const toml::table& table, std::string_view file) : table_{&table}, file_{file} {}

    /// Refuses keys that are none of these.
    void only(std::initializer_list<std::string_view> known) const;
    bool has(std::string_view key) const { return table_->get(key) != nullptr; }
    std::string text(std::string_view key) const;
    std::int64_t number(std::string_view key, std::int64_t least, std::int64_t most) const;
    bool flag(std::string_view key) const;
    TomlReader table(std::string_view key) const;
    /// What `parse` makes of a text; what it refuses is told with file and line.
    template <typename Parse>
    auto parsed(std::string_view key, Parse&& parse) const
    {
        const auto value = text(key);
        try {
            return parse(value);
        } catch (const Error& problem) {
            refuse(key, problem.what());
        }
    }
    [[noreturn]] void refuse(std::string_view key, const std::string& what) const;

private:
    const toml::node& node(std::string_view key) const;

    const toml::table* table_;
    std::string_view file_;
};

}  // namespace banger::broker
