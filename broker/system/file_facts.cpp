// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/file_facts.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>

#include "common/error.hpp"

namespace banger::broker {
namespace {

[[noreturn]] void fail_to_examine(int error)
{
    throw errno_error("the descriptor can't be examined", error, ErrorCode::InvalidArgument);
}

}  // namespace

OpeningFacts opening_of(int fd)
{
    const int flags = ::fcntl(fd, F_GETFL);
    struct statfs system {};
    if (flags < 0 || ::fstatfs(fd, &system) < 0) {
        fail_to_examine(errno);
    }
    // Magic numbers have 32 bits; the type of f_type is signed, and they would come out with ones in front.
    return {.flags = flags, .file_system = static_cast<std::uint32_t>(system.f_type)};
}

FileFacts facts_of(int fd)
{
    struct stat status {};
    if (::fstat(fd, &status) < 0) {
        fail_to_examine(errno);
    }
    return {
        .type = S_ISREG(status.st_mode) ? FileFacts::Type::Regular : FileFacts::Type::Other,
        .links = status.st_nlink,
        .size = static_cast<std::uint64_t>(status.st_size),
        .owner = status.st_uid,
    };
}

}  // namespace banger::broker
