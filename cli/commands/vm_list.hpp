// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

namespace banger::cli {

/// `list` below `parent`, or, with another name, the same command elsewhere (`banger ps`).
void add_vm_list(CLI::App& parent, Context& context, const std::string& name);
void add_vm_show(CLI::App& vm, Context& context);

}  // namespace banger::cli
