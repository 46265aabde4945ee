// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/listing.hpp"

#include "cli/view/escape.hpp"
#include "common/size.hpp"

#include <algorithm>

namespace banger::cli {
namespace {

std::string plain_text(const JsonValue& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string details_for_people(const JsonValue& object)
{
    constexpr std::size_t gap = 2;
    std::size_t width = 0;
    for (const auto& [key, value] : object.items()) {
        width = std::max(width, key.size());
    }
    std::string text;
    for (const auto& [key, value] : object.items()) {
        text += escaped(key) + std::string(width - key.size() + gap, ' ') + escaped(detail_text(key, value)) + "\n";
    }
    return text;
}

std::string plain_details(const JsonValue& object)
{
    std::string text;
    for (const auto& [key, value] : object.items()) {
        text += escaped(key) + "\t" + escaped(plain_text(value)) + "\n";
    }
    return text;
}

template <typename T>
bool assign(JsonValue& target, const sdbus::Variant& value)
{
    if (value.containsValueOfType<T>()) {
        target = value.get<T>();
        return true;
    }
    return false;
}

}  // namespace

std::string detail_text(const std::string& key, const JsonValue& value)
{
    const bool is_limit = key.ends_with("_rate") || key.ends_with("_iops");
    const bool is_size = key.ends_with("_bytes") || key.ends_with("_rate") || key == "size" || key == "used";
    if (value.is_boolean()) {
        return value.get<bool>() ? "yes" : "no";
    }
    if (value.is_array()) {
        std::string joined;
        for (const auto& item : value) {
            joined += (joined.empty() ? "" : ", ") + plain_text(item);
        }
        return joined.empty() ? "-" : joined;
    }
    if (value.is_number() && (key == "created" || key == "started")) {
        const auto date = date_of(value.get<std::int64_t>());
        return date.empty() ? "-" : date;
    }
    if (is_limit && value == 0U) {
        return "none";
    }
    if (value.is_number_unsigned() && is_size) {
        return ByteSize{value.get<std::uint64_t>()}.to_string();
    }
    const auto text = plain_text(value);
    return text.empty() ? "-" : text;
}

void ListingOptions::add_to(Command command, Quiet quiet_option)
{
    const auto form = command.option("--format", format, "table, json or plain (tab-separated, no titles)")
                          .one_of({"table", "json", "plain"})
                          .value_name("FORM");
    command.flag("--json", json, "the same as --format json").excludes(form);
    if (quiet_option == Quiet::Offered) {
        command.flag("-q,--quiet", quiet, "names alone, one a line");
    }
}

Format ListingOptions::form() const
{
    return json || format == "json" ? Format::Json : format == "plain" ? Format::Plain : Format::Table;
}

void Listing::add(std::vector<std::string> shown, std::vector<JsonValue> values)
{
    shown_.push_back(std::move(shown));
    values_.push_back(std::move(values));
}

void Listing::print(const ListingOptions& options, LongLines long_lines) const
{
    std::string text;
    if (options.quiet) {
        for (const auto& row : values_) {
            text += escaped(plain_text(row.front())) + "\n";
        }
    } else if (options.form() == Format::Json) {
        auto rows = JsonValue::array();
        for (const auto& row : values_) {
            JsonValue object;
            for (std::size_t index = 0; index < fields_.size(); ++index) {
                object[fields_[index].key] = row[index];
            }
            rows.push_back(std::move(object));
        }
        print_json(rows);
        return;
    } else if (options.form() == Format::Plain) {
        for (const auto& row : values_) {
            for (std::size_t index = 0; index < row.size(); ++index) {
                text += (index == 0 ? "" : "\t") + escaped(plain_text(row[index]));
            }
            text += "\n";
        }
    } else {
        std::vector<Column> columns;
        for (const auto& field : fields_) {
            if (!field.title.empty()) {
                columns.push_back({field.title, field.align});
            }
        }
        Table table{std::move(columns)};
        for (const auto& row : shown_) {
            table.add(row);
        }
        text = table.to_string(long_lines == LongLines::Cut ? terminal_width() : 0);
    }
    cli::print(text);
}

JsonValue to_json(const sdbus::Variant& value)
{
    JsonValue plain;
    // One of them at most.
    [[maybe_unused]] const bool known = assign<std::string>(plain, value) || assign<bool>(plain, value) ||
                                        assign<std::uint32_t>(plain, value) || assign<std::uint64_t>(plain, value) ||
                                        assign<std::int64_t>(plain, value) || assign<std::int32_t>(plain, value) ||
                                        assign<double>(plain, value) || assign<std::vector<std::string>>(plain, value);
    return plain;
}

void print_details(const JsonValue& objects, const ListingOptions& options, std::size_t asked_for)
{
    if (options.form() == Format::Json) {
        if (asked_for > 1) {
            print_json(objects);
        } else if (!objects.empty()) {
            print_json(objects.front());
        }
        return;
    }
    std::string text;
    for (const auto& object : objects) {
        text += text.empty() || options.form() == Format::Plain ? "" : "\n";
        text += options.form() == Format::Plain ? plain_details(object) : details_for_people(object);
    }
    print(text);
}

}  // namespace banger::cli
