// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::guest {

/// Runs a program of the guest as root with the default PATH and no input or output, and waits for it. For tasks and the
/// boot only: the loop would take the child's status. Its exit code; -1 when it did not run or was killed.
/// Throws Failed where there is no process.
int run_program(const std::vector<std::string>& argv);

}  // namespace banger::guest
