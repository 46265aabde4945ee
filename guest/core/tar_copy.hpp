// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

#include "guest/wire/messages.hpp"

namespace banger::guest {

constexpr std::size_t tar_block_size = 65536;  // bytes read or written at a time

/// Extracts the pax tar stream of `fd` (blocking). Owners are numeric; modes, times, xattrs, ACLs, links and holes are
/// kept. Entries never leave copy.directory: absolute names and ".." are refused, a symlink on the way gives way to a folder, as
/// with tar. Reads the stream to its end in any case. Changes the working directory and the umask of the process. Errors are in the result.
wire::CopyDone extract_tar(int fd, const wire::CopyIn& copy);

/// Writes copy.path as a pax tar stream to `fd` (blocking). Sockets are left out, as tar does. Errors are in the result.
/// Changes the working directory of the process.
wire::CopyDone write_tar(int fd, const wire::CopyOut& copy);

}  // namespace banger::guest
