// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/operation.hpp"
#include "cli/view/listing.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli {

/// How a command with one operation tells of it.
struct MakeReport {
    bool json{false};
    bool quiet{false};

    void add_to(Command command);
};

/// What came of a command's one operation: its result, or the signal that ended it.
struct Made {
    VariantMap result;
    std::optional<int> signal;
};

/// Begins one operation and watches it to its end. Throws its error.
Made watch_one(const MakeReport& form, const std::string& target,
               const std::function<std::string(ManagerProxy&)>& begin);

/// As watch_one(), and prints its result: as JSON, or as the sentence that `describe` makes of it. The exit code.
int make_one(const MakeReport& form, const std::string& target, const std::function<std::string(ManagerProxy&)>& begin,
             const std::function<std::string(const VariantMap&)>& describe);

JsonValue object_of(const VariantMap& result);
/// bangerd has a working directory of its own.
std::string absolute_path_of(const std::string& path);
/// Leaves out what is empty.
void put_text(VariantMap& map, const char* key, const std::string& value);
/// False: it was there already.
bool was_built(const VariantMap& result);
/// "image web is made: 0123456789ab".
std::string describe_image(const VariantMap& result);

}  // namespace banger::cli
