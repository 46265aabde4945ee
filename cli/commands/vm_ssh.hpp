// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_vm_ssh(Command vm, Context& context);
/// `internal connect`, ssh's ProxyCommand.
void add_internal_connect(Command internal, Context& context);
/// `internal known-hosts`, ssh's KnownHostsCommand.
void add_internal_known_hosts(Command internal, Context& context);

}  // namespace banger::cli
