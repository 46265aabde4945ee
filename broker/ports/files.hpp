// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include <sys/types.h>

namespace banger::broker {

/// What the kernel says of a descriptor that a client has sent (fcntl F_GETFL, fstat, fstatfs).
struct FileFacts {
    enum class Type { Regular, Other };
    Type type;
    int open_flags;
    std::uint64_t links;
    std::uint64_t size;
    uid_t owner;
    std::uint64_t file_system;  ///< f_type, statfs(2)
};

}  // namespace banger::broker
