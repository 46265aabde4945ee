// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/sink.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "tests/unit/cli/relay/ends.hpp"

namespace banger::cli {
namespace {

/// How many bytes it takes before it would block.
std::size_t fill(Sink& sink, std::size_t most)
{
    const std::string block(4096, 'x');
    std::size_t total = 0;
    while (total < most) {
        const auto taken = sink.write({block.data(), block.size()});
        if (!taken || *taken == 0) {
            break;
        }
        total += *taken;
    }
    return total;
}

TEST(Sink, DoesNotBlockOnAFullPipeAndLeavesItsFlagsAlone)
{
    const auto pipe = test::make_pipe();
    Sink sink{pipe.theirs.get()};
    const auto taken = fill(sink, 10U << 20U);
    EXPECT_GT(taken, 4096U);
    EXPECT_LT(taken, 10U << 20U);
    EXPECT_EQ(::fcntl(pipe.theirs.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Sink, DoesNotBlockOnAFullSocket)
{
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const UniqueFd ours{fds[0]};
    const UniqueFd theirs{fds[1]};
    Sink sink{ours.get()};
    EXPECT_LT(fill(sink, 100U << 20U), 100U << 20U);
    EXPECT_EQ(::fcntl(ours.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Sink, DoesNotBlockOnATerminalThatNobodyReads)
{
    int master = -1;
    int slave = -1;
    ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
    const UniqueFd ours{master};
    const UniqueFd theirs{slave};
    Sink sink{theirs.get()};
    EXPECT_LT(fill(sink, 10U << 20U), 10U << 20U);
    EXPECT_EQ(::fcntl(theirs.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(Sink, SaysThatItsReaderIsGone)
{
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    auto pipe = test::make_pipe();
    Sink sink{pipe.theirs.get()};
    pipe.ours.reset();
    EXPECT_EQ(sink.write({"x", 1}), std::nullopt);
    EXPECT_EQ(errno, EPIPE);
    std::signal(SIGPIPE, before);
}

TEST(Sink, WritesToFilesWhereTheyStand)
{
    const UniqueFd file{::open(testing::TempDir().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    ASSERT_TRUE(file);
    ASSERT_EQ(::write(file.get(), "before ", 7), 7);
    Sink sink{file.get()};
    EXPECT_EQ(sink.write({"after", 5}), 5U);
    EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 12);
}

}  // namespace
}  // namespace banger::cli
