// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/files.hpp"

namespace banger::broker {

/// Of an open descriptor. Throws InvalidArgument when the kernel says nothing of it.
FileFacts facts_of(int fd);

}  // namespace banger::broker
