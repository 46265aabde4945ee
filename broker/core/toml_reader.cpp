// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/toml_reader.hpp"

#include <algorithm>
#include <vector>

#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::broker {
namespace {

[[noreturn]] void refuse_at(std::string_view file, const toml::source_region& where, const std::string& what)
{
    throw Error{ErrorCode::InvalidArgument, std::string{file} + ":" + std::to_string(where.begin.line) + ": " + what};
}

}  // namespace

toml::table parse_toml(std::string_view text, std::string_view file)
{
    try {
        return toml::parse(text, file);
    } catch (const toml::parse_error& problem) {
        refuse_at(file, problem.source(), std::string{problem.description()});
    }
}

void TomlReader::only(std::initializer_list<std::string_view> known) const
{
    for (const auto& [key, value] : *table_) {
        if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
            const auto near = nearest(key.str(), std::vector<std::string_view>{known});
            refuse_at(file_, value.source(),
                      "unknown key \"" + shown(key.str()) + "\"" +
                          (near ? "; did you mean " + std::string{*near} + "?" : ""));
        }
    }
}

std::string TomlReader::text(std::string_view key) const
{
    const auto value = node(key).value_exact<std::string>();
    if (!value) {
        refuse(key, "must be a string");
    }
    return *value;
}

std::int64_t TomlReader::number(std::string_view key, std::int64_t least, std::int64_t most) const
{
    const auto value = node(key).value_exact<std::int64_t>();
    if (!value) {
        refuse(key, "must be a whole number");
    }
    if (*value < least || *value > most) {
        refuse(key, "must be " + std::to_string(least) + " to " + std::to_string(most));
    }
    return *value;
}

bool TomlReader::flag(std::string_view key) const
{
    const auto value = node(key).value_exact<bool>();
    if (!value) {
        refuse(key, "must be true or false");
    }
    return *value;
}

TomlReader TomlReader::table(std::string_view key) const
{
    const auto* inner = node(key).as_table();
    if (inner == nullptr) {
        refuse(key, "must be a table");
    }
    return TomlReader{*inner, file_};
}

void TomlReader::refuse(std::string_view key, const std::string& what) const
{
    refuse_at(file_, node(key).source(), std::string{key} + ": " + what);
}

const toml::node& TomlReader::node(std::string_view key) const
{
    const auto* found = table_->get(key);
    if (found == nullptr) {
        refuse_at(file_, table_->source(), std::string{key} + " is missing");
    }
    return *found;
}

}  // namespace banger::broker
