// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

void add_vm_export(Command vm, Context& context);
void add_vm_import(Command vm, Context& context);

}  // namespace banger::cli
