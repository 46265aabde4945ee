// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger {

struct Pipe {
    UniqueFd read, write;
};

/// Both ends close-on-exec and blocking. Throws Failed, naming `purpose` ("the command").
inline Pipe make_pipe(const std::string& purpose)
{
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) {
        throw errno_error("no pipe for " + purpose, errno);
    }
    return {UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

}  // namespace banger
