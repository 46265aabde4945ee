// SPDX-License-Identifier: GPL-2.0-or-later
// A source for the target that makes the tests' precompiled header.
#include "tests/unit/precompiled.hpp"

int main() { return 0; }
