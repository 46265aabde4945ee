// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_vm_workspace(Command vm, Context& context);

}  // namespace banger::cli
