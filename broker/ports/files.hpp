// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace banger::broker {

/// What the kernel says of a descriptor that a client has sent (fcntl F_GETFL, fstatfs).
struct OpeningFacts {
    int flags;
    std::uint64_t file_system;  ///< f_type, statfs(2)
};

/// What its file system says of the file (fstat). Behind one of a client's own, FUSE also below an overlay, is a process that need never answer: to
/// be asked only once the opening has passed.
struct FileFacts {
    enum class Type { Regular, Other };
    Type type;
    std::uint64_t links;
    std::uint64_t size;
    uid_t owner;
};

}  // namespace banger::broker
