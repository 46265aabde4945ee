// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/messages.hpp"

namespace banger::guest {

/// Whether answer_to() takes no longer than a few system calls that touch no disk for long. A path of the host's may lead to one that
/// answers no more.
bool is_quick(const wire::RequestBody& request);

/// Does what the request says; not for Configure and Shutdown, which are the Role's. Throws Error.
wire::ResponseBody answer_to(const wire::RequestBody& request);

/// Throws Failed.
void set_clock(std::int64_t unix_ns);

}  // namespace banger::guest
