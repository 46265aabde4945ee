// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "agent/core/task.hpp"

namespace banger::agent {

/// The IPv4 address that this host itself would use towards the outside; nullopt: it has no route there.
std::optional<std::string> address_towards_outside();

/// Ends when there is such a route, maybe at once, when `over` is set, and after `limit`; never fails. Loop thread.
Task<void> wait_for_route(EventLoop& loop, EventLoop::Milliseconds limit, Promise<Unit> over);

}  // namespace banger::agent
