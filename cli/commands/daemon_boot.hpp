// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// enable and disable.
void add_daemon_boot(Command daemon, Context& context);

/// After a VM was marked: says so where nothing would start it.
void remark_unless_started();
/// For `daemon status`: "never", "at login" or "at boot".
std::string marked_start_in_words();

}  // namespace banger::cli
