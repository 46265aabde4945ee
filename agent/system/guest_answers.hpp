// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "agent/ports/guest_link.hpp"
#include "guest/wire/messages.hpp"

namespace banger::agent {

/// The request behind Vm.Query. Throws InvalidArgument for an unknown `what` or a bad argument.
wire::RequestBody guest_request(std::string_view what, const Bytes& argument);

/// The answer as Vm.Query gives it. Numbers come from the guest and are shown, never relied on.
nlohmann::json guest_answer(const wire::ResponseBody& body);

}  // namespace banger::agent
