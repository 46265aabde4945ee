// SPDX-License-Identifier: GPL-2.0-or-later
// A source for the target that makes the precompiled header.
#include "common/precompiled.hpp"
