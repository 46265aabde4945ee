// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/parser.hpp"
#include "cli/connect/proxies.hpp"
#include "cli/view/output.hpp"
#include "cli/view/table.hpp"

#include <memory>
#include <string>
#include <vector>

namespace banger::cli {

enum class Format { Table, Json, Plain };

/// --format and --json, and for listings -q.
struct ListingOptions {
    std::string format{"table"};
    bool json{false};
    bool quiet{false};

    enum class Quiet { No, Offered };
    void add_to(Command command, Quiet quiet_option);
    Format form() const;
};

/// One field of a row: how people read it, and how programs do.
struct Field {
    std::string key;    ///< in JSON
    std::string title;  ///< in the table; "": not shown there
    Align align{Align::Left};
};

enum class LongLines { Cut, Whole };

/// Rows in any of the three forms. The first field is the name, which -q prints alone.
class Listing {
public:
    explicit Listing(std::vector<Field> fields) : fields_{std::move(fields)} {}
    /// `shown`: as many texts as there are fields with a title. `values`: as many as there are fields. A table needs no values, and other forms no
    /// texts.
    void add(std::vector<std::string> shown, std::vector<JsonValue> values);
    /// With LongLines::Whole nothing is cut to the terminal's width.
    void print(const ListingOptions& options, LongLines long_lines = LongLines::Cut) const;

private:
    std::vector<Field> fields_;
    std::vector<std::vector<std::string>> shown_;
    std::vector<std::vector<JsonValue>> values_;
};

/// A plain value of the bus; other types become null.
JsonValue to_json(const sdbus::Variant& value);
/// A value of `show` as people read it: sizes with units, dates, yes and no, "-" for nothing.
std::string detail_text(const std::string& key, const JsonValue& value);
/// What `show` prints of these objects: `key  value` lines with sizes and dates for people; tab-separated ones; or JSON, an object where one
/// thing was asked for, else an array.
void print_details(const JsonValue& objects, const ListingOptions& options, std::size_t asked_for);

}  // namespace banger::cli
