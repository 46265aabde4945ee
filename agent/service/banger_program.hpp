// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace banger::agent {

/// The command line that belongs to this bangerd: beside it (a build tree), else in ../../bin (installed in libexec/banger), else of PATH.
std::string banger_program();

}  // namespace banger::agent
