// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/files.hpp"

namespace banger::broker {

/// Of an open descriptor. Both throw InvalidArgument when the kernel says nothing of it.
OpeningFacts opening_of(int fd);
FileFacts facts_of(int fd);

}  // namespace banger::broker
