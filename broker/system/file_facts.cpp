// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/file_facts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

#include "common/error.hpp"

namespace banger::broker {

FileFacts facts_of(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    struct stat status {};
    struct statfs system {};
    if (flags < 0 || ::fstat(fd, &status) < 0 || ::fstatfs(fd, &system) < 0) {
        throw errno_error("the descriptor can't be examined", errno, ErrorCode::InvalidArgument);
    }
    return {
        .type = S_ISREG(status.st_mode) ? FileFacts::Type::Regular : FileFacts::Type::Other,
        .open_flags = flags,
        .links = status.st_nlink,
        .size = static_cast<std::uint64_t>(status.st_size),
        .owner = status.st_uid,
        // Magic numbers have 32 bits; the type of f_type is signed, and they would come out with ones in front.
        .file_system = static_cast<std::uint32_t>(system.f_type),
    };
}

}  // namespace banger::broker
