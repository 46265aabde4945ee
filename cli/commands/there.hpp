// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// Runs a line that was parsed on the host that its -H names: by `banger` there, with this one's streams, and a terminal where these are one. Gives the exit
/// code; returns only where something is left to do here. Throws InvalidArgument (a path that would be another file there), HostLacks (no ssh).
int run_there(const Context& context, std::vector<std::string> words);

/// `internal attached`: runs another banger, and hangs it up when nobody holds the other end of standard output any more.
void add_internal_attached(Command internal, Context& context);

}  // namespace banger::cli
