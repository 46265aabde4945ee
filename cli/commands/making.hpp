// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/operation.hpp"
#include "cli/view/listing.hpp"

#include <functional>
#include <string>
#include <vector>

namespace banger::cli {

/// How a command with one operation tells of it.
struct MakeReport {
    bool json{false};
    bool quiet{false};

    void add_to(Command command);
};

/// Begins one operation, watches it and prints its result: as JSON, or as the sentence that `describe` makes of it.
int make_one(const MakeReport& form, const std::string& target, const std::function<std::string(ManagerProxy&)>& begin,
             const std::function<std::string(const VariantMap&)>& describe);

/// bangerd has a working directory of its own.
std::string absolute_path_of(const std::string& path);
/// Leaves out what is empty.
void put_text(VariantMap& map, const char* key, const std::string& value);
/// False: it was there already.
bool was_built(const VariantMap& result);
/// "image web is made: 0123456789ab".
std::string describe_image(const VariantMap& result);

}  // namespace banger::cli
