// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/connect/proxies.hpp"

#include <map>
#include <string>

namespace banger::cli {

/// What bangerd is told of this process's environment: BANGER_*, XDG_* and HOME, as far as they are UTF-8.
std::map<std::string, std::string> shared_environment();

/// The BANGER_* that stand for settings, and not for options of `vm create` and `vm run`, which are sent as such.
std::map<std::string, std::string> settings_environment();
/// Adds them as the option `environment` of a Manager's method, where there are any.
void put_settings(VariantMap& options);

}  // namespace banger::cli
