// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/files.hpp"
#include "common/size.hpp"

namespace banger::broker {

/// Whether a client's descriptor may be the disk below a snapshot. First its opening: O_RDONLY and not O_PATH, on a file system that a user can't
/// make stall (R5, R6, R7). Throws InvalidArgument with what is wrong.
void check_opening(const OpeningFacts& facts);
/// Then the file: a regular one with a name and a size of whole sectors, which it gives. Throws alike.
ByteSize check_base(const FileFacts& facts);

}  // namespace banger::broker
