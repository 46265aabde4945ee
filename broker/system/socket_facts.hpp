// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/names.hpp"

namespace banger::broker {

/// Any thread. What is no socket has type Other, and its file system is not asked (ports/files.hpp has why).
SocketFacts socket_facts(int descriptor);

}  // namespace banger::broker
