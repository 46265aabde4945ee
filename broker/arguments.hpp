// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace banger::broker {

enum class Task { Serve, Check, Reconcile, PlanOnly };

struct Arguments {
    Task task{Task::Serve};
    std::string state{"/var/lib/banger-broker"};
    std::string runtime{"/run/banger-broker"};
    std::string config{"/etc/banger/broker.toml"};
    std::chrono::seconds idle_limit{30};  ///< at least 1
};

/// What --help prints.
extern const char* const usage;

/// nullopt: they make no sense. --help and --version are answered here and end the process.
std::optional<Arguments> parse_arguments(int argc, char** argv);

}  // namespace banger::broker
