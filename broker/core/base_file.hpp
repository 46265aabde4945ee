// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/files.hpp"
#include "common/size.hpp"

namespace banger::broker {

/// Whether a client's descriptor may be the disk below a snapshot: a regular file with a name and a size of whole sectors, opened O_RDONLY and
/// not O_PATH, on a file system that a user can't make stall (R5, R6, R7). Gives its size. Throws InvalidArgument with what is wrong.
ByteSize check_base(const FileFacts& facts);

}  // namespace banger::broker
