// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/unique_fd.hpp"

namespace banger::cli::test {

/// Of a socket pair or a pipe; of a pipe, `ours` is the one to read.
struct Ends {
    UniqueFd ours, theirs;
};

inline Ends make_sockets(int type = SOCK_STREAM)
{
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    return {UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

inline Ends make_pipe()
{
    int fds[2];
    EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
    return {UniqueFd{fds[0]}, UniqueFd{fds[1]}};
}

}  // namespace banger::cli::test
