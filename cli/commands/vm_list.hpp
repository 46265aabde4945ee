// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/context.hpp"

#include <string>

namespace banger::cli {

/// What a listing has where nothing else is asked for.
enum class Shown { All, Running };

/// `list` below `parent`, or, with another name, the same command elsewhere (`banger ps`).
Command add_vm_list(Command parent, Context& context, const std::string& name, Shown shown);
void add_vm_show(Command vm, Context& context);

}  // namespace banger::cli
