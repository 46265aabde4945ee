// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include "agent/service/agent.hpp"

namespace banger::agent {

using DoctorRows = std::vector<sdbus::Struct<std::string, std::string, std::string, std::string>>;

/// What this host has of the ladder of design.md: (check, ok|warn|missing, detail, the command that mends it). Changes nothing but the
/// remembered verdict on KVM.
Task<std::tuple<DoctorRows>> examine_host(Agent* agent);

}  // namespace banger::agent
