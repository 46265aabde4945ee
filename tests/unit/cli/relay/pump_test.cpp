// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/pump.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <csignal>
#include <string>

#include "tests/unit/cli/relay/ends.hpp"

namespace banger::cli {
namespace {

/// Moves until nothing moves any more.
template <typename Pump>
void settle(Pump& pump)
{
    for (;;) {
        PollList polls;
        pump.add_to(polls);
        if (polls.empty() || ::poll(polls.data(), polls.size(), 0) <= 0) {
            return;
        }
        pump.move(polls);
    }
}

std::string read_some(const UniqueFd& fd)
{
    std::string text(1 << 20, '\0');
    const auto got = ::recv(fd.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

TEST(InputPump, PassesBytesAndTheEnd)
{
    auto source = test::make_pipe();
    auto sockets = test::make_sockets();
    InputPump pump{source.ours.get(), std::move(sockets.ours)};
    ASSERT_EQ(::write(source.theirs.get(), "hello", 5), 5);
    settle(pump);
    EXPECT_EQ(read_some(sockets.theirs), "hello");
    source.theirs.reset();
    settle(pump);
    char byte = 0;
    EXPECT_EQ(::recv(sockets.theirs.get(), &byte, 1, MSG_DONTWAIT), 0) << "end of file";
    EXPECT_EQ(::send(sockets.theirs.get(), "x", 1, MSG_NOSIGNAL), 1) << "the other way is still open";
}

TEST(InputPump, ReadsNoMoreThanOneBufferForACommandThatDoesNotRead)
{
    const UniqueFd zero{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    auto sockets = test::make_sockets();
    InputPump pump{zero.get(), std::move(sockets.ours)};
    settle(pump);  // would not end otherwise
    EXPECT_FALSE(read_some(sockets.theirs).empty());
}

TEST(InputPump, StopsReadingWhenTheCommandReadsNoMore)
{
    auto source = test::make_pipe();
    auto sockets = test::make_sockets();
    InputPump pump{source.ours.get(), std::move(sockets.ours)};
    sockets.theirs.reset();
    settle(pump);
    PollList polls;
    pump.add_to(polls);
    EXPECT_TRUE(polls.empty());
}

TEST(InputPump, TakesAStreamThatCanNotBeReadForAnEmptyOne)
{
    const auto unreadable = test::make_pipe();
    auto sockets = test::make_sockets();
    const UniqueFd write_only{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    InputPump pump{write_only.get(), std::move(sockets.ours)};
    settle(pump);
    char byte = 0;
    EXPECT_EQ(::recv(sockets.theirs.get(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST(OutputPump, PassesBytesAndEnds)
{
    auto target = test::make_pipe();
    auto sockets = test::make_sockets();
    OutputPump pump{std::move(sockets.ours), target.theirs.get()};
    ASSERT_EQ(::send(sockets.theirs.get(), "hello", 5, 0), 5);
    settle(pump);
    std::string text(5, '\0');
    EXPECT_EQ(::read(target.ours.get(), text.data(), text.size()), 5);
    EXPECT_EQ(text, "hello");
    EXPECT_EQ(pump.state(), OutputPump::State::Open);
    sockets.theirs.reset();
    settle(pump);
    EXPECT_EQ(pump.state(), OutputPump::State::Ended);
}

TEST(OutputPump, StopsTheCommandWhenNobodyReads)
{
    auto target = test::make_pipe();
    auto sockets = test::make_sockets();
    OutputPump pump{std::move(sockets.ours), target.theirs.get()};
    const std::string block(65536, 'x');
    std::size_t sent = 0;
    for (;;) {
        const auto some = ::send(sockets.theirs.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (some < 0) {
            break;
        }
        sent += static_cast<std::size_t>(some);
        settle(pump);
        ASSERT_LT(sent, 10U << 20U) << "it takes everything";
    }
    EXPECT_EQ(pump.state(), OutputPump::State::Open);
}

TEST(OutputPump, IsBrokenWhenItsReaderIsGoneAndMayDiscardTheRest)
{
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    auto target = test::make_pipe();
    auto sockets = test::make_sockets();
    OutputPump pump{std::move(sockets.ours), target.theirs.get()};
    target.ours.reset();
    ASSERT_EQ(::send(sockets.theirs.get(), "x", 1, 0), 1);
    settle(pump);
    EXPECT_EQ(pump.state(), OutputPump::State::Broken);
    EXPECT_EQ(pump.problem(), EPIPE);
    pump.discard();
    ASSERT_EQ(::send(sockets.theirs.get(), "more", 4, 0), 4);
    sockets.theirs.reset();
    settle(pump);
    EXPECT_EQ(pump.state(), OutputPump::State::Ended);
    std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace banger::cli
