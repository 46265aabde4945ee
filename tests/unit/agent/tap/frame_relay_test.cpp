// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/frame_relay.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "common/error.hpp"

namespace banger::tap {
namespace {

struct Pair {
    UniqueFd mine;
    UniqueFd its;
};

Pair make_pair_of(int type)
{
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
        throw errno_error("no socket pair", errno);
    }
    return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

std::string framed(const std::string& frame)
{
    const auto length = htonl(static_cast<std::uint32_t>(frame.size()));
    return std::string{reinterpret_cast<const char*>(&length), sizeof length} + frame;
}

/// A datagram socket stands for the TAP: a frame a read or write, as there.
class FrameRelayTest : public ::testing::Test {
protected:
    void write(const UniqueFd& to, const std::string& bytes)
    {
        ASSERT_EQ(::write(to.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    static std::string read(const UniqueFd& from)
    {
        std::string bytes(1 << 20, '\0');
        const auto got = ::read(from.get(), bytes.data(), bytes.size());
        bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return bytes;
    }

    Pair tap{make_pair_of(SOCK_DGRAM)};
    Pair stream{make_pair_of(SOCK_STREAM)};
    FrameRelay relay{std::move(tap.its), std::move(stream.its)};
};

TEST_F(FrameRelayTest, FramesOfTheTapGetTheirLengthBeforeThem)
{
    write(tap.mine, "first");
    write(tap.mine, std::string(1514, 'x'));
    EXPECT_TRUE(relay.to_stream());
    EXPECT_EQ(read(stream.mine), framed("first") + framed(std::string(1514, 'x')));
}

TEST_F(FrameRelayTest, AFrameGoesToTheTapWhenItIsWholeHoweverItCame)
{
    const auto bytes = framed("one") + framed("another");
    for (const char byte : bytes) {
        write(stream.mine, std::string(1, byte));
        EXPECT_TRUE(relay.to_tap());
    }
    EXPECT_EQ(read(tap.mine), "one");
    EXPECT_EQ(read(tap.mine), "another");
    EXPECT_EQ(read(tap.mine), "");
}

TEST_F(FrameRelayTest, TheLongestFramePassesBothWays)
{
    const std::string longest(FrameRelay::frame_limit, 'l');
    const int room = 1 << 20;
    for (const auto* end : {&tap.mine, &stream.mine}) {
        ::setsockopt(end->get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    }
    write(tap.mine, longest);
    EXPECT_TRUE(relay.to_stream());
    EXPECT_EQ(read(stream.mine), framed(longest));
    write(stream.mine, framed(longest));
    EXPECT_TRUE(relay.to_tap());
    EXPECT_EQ(read(tap.mine), longest);
}

TEST_F(FrameRelayTest, AStreamThatTakesNothingStopsTheReadingOfTheTap)
{
    const std::string frame(1000, 'f');
    EXPECT_EQ(relay.tap_events(), POLLIN);
    for (int count = 0; count < 10'000 && relay.tap_events() != 0; ++count) {
        write(tap.mine, frame);
        ASSERT_TRUE(relay.to_stream());
    }
    EXPECT_EQ(relay.tap_events(), 0);
    EXPECT_EQ(relay.stream_events(), POLLIN | POLLOUT);
    std::string all;
    for (auto some = read(stream.mine); !some.empty(); some = read(stream.mine)) {
        all += some;
        ASSERT_TRUE(relay.to_stream());
    }
    EXPECT_EQ(relay.tap_events(), POLLIN);
    EXPECT_EQ(all.size() % framed(frame).size(), 0U);
    EXPECT_EQ(all.substr(all.size() - frame.size()), frame);
}

TEST_F(FrameRelayTest, ALengthThatNoFrameHasEndsIt)
{
    write(stream.mine, std::string("\0\1\0\0", 4));  // 65,536
    EXPECT_THROW(relay.to_tap(), Error);
    FrameRelay other{std::move(tap.mine), make_pair_of(SOCK_STREAM).its};
    EXPECT_FALSE(other.to_tap());  // its peer is gone
}

TEST_F(FrameRelayTest, AnEmptyFrameIsNone)
{
    write(stream.mine, framed(""));
    EXPECT_THROW(relay.to_tap(), Error);
}

TEST_F(FrameRelayTest, TheEndOfTheStreamIsSeenBothWays)
{
    stream.mine.reset();
    EXPECT_FALSE(relay.to_tap());
    write(tap.mine, "frame");
    EXPECT_FALSE(relay.to_stream());
}

}  // namespace
}  // namespace banger::tap
