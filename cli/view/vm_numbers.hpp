// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace banger::cli {

/// What Manager.Stats tells of a VM; dbus/dev.banger.Agent1.xml has the names.
using Numbers = std::map<std::string, std::uint64_t>;

/// nullopt: it isn't known.
std::optional<std::uint64_t> known_number(const Numbers& numbers, const char* name);

/// Of one core, in percent, between two samples; nullopt where one has no such number, or the VM was started in between.
std::optional<double> cpu_percent(const Numbers& before, const Numbers& now);

/// Between two looks at so many VMs that run, where nobody says how long. bangerd has to ask each guest and is woken by each answer, so many are
/// looked at less often, and cost no more than twenty do.
std::chrono::milliseconds usual_interval(std::size_t running);

/// "3m12s", "2d4h"; "-" where it isn't known.
std::string uptime_text(const std::optional<std::uint64_t>& ms);

}  // namespace banger::cli
