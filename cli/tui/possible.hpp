// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/intent.hpp"
#include "cli/tui/rows.hpp"

#include <string>

namespace banger::cli::tui {

/// "" where bangerd would take it in this state; else a sentence with the key that leads there. Of what may have changed meanwhile bangerd is the judge.
std::string why_not(const VmRow& vm, Verb verb);

/// What is asked before it is done; "": nothing.
std::string question_before(const VmRow& vm, Verb verb);

}  // namespace banger::cli::tui
