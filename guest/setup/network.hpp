// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "guest/wire/messages.hpp"

namespace banger::guest {

/// Brings lo up, and the interface of `network` with its address and default route, in place of those of an earlier call.
/// Without `network` only lo. Throws InvalidArgument, NotFound, Failed.
void set_network(const std::optional<wire::Network>& network);

/// resolv.conf(5)
std::string resolver_config(const wire::Network& network);

}  // namespace banger::guest
