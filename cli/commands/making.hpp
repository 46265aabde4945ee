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

}  // namespace banger::cli
