// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/netguard/relay.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <future>
#include <optional>

#include "common/error.hpp"
#include "tests/unit/agent/netguard/frames.hpp"

namespace banger::netguard::test {
namespace {

using std::chrono::seconds;

constexpr seconds limit{20};

struct Pair {
    UniqueFd mine;
    UniqueFd its;
};

Pair make_pair_of_sockets()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        throw errno_error("no socket pair", errno);
    }
    return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

/// A relay in a thread, with a VMM and a passt played by the test.
class RelayTest : public ::testing::Test {
protected:
    RelayTest()
    {
        auto left = make_pair_of_sockets();
        auto right = make_pair_of_sockets();
        const int small = 4096;  // as on a host with a small net.core.wmem_default
        ::setsockopt(right.its.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        vmm = std::move(left.mine);
        passt = std::move(right.mine);
        for (const auto* end : {&vmm, &passt}) {
            const timeval late{limit.count(), 0};
            ::setsockopt(end->get(), SOL_SOCKET, SO_RCVTIMEO, &late, sizeof late);
            ::setsockopt(end->get(), SOL_SOCKET, SO_SNDTIMEO, &late, sizeof late);
        }
        relay.emplace(std::move(left.its), std::move(right.its), current,
                      Watch{event.get(), [this] {
                                std::uint64_t count = 0;
                                ASSERT_EQ(::read(event.get(), &count, sizeof count), sizeof count);
                                current.host = AddressSet{{Prefix::parse("198.51.100.7")}};
                                changed.set_value();
                            }});
        ended = std::async(std::launch::async, [this] {
            try {
                relay->run();
            } catch (...) {
                relay.reset();
                throw;
            }
            dropped = relay->dropped();
            relay.reset();  // as a program's end closes what it has
        });
    }

    ~RelayTest() override
    {
        vmm.reset();
        passt.reset();
        if (ended.valid()) {
            ended.wait();
        }
    }

    static void say(const UniqueFd& to, const Bytes& bytes)
    {
        ASSERT_EQ(::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }

    static Bytes hear(const UniqueFd& from, std::size_t size)
    {
        Bytes bytes(size);
        const auto got = ::recv(from.get(), bytes.data(), size, MSG_WAITALL);
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return bytes;
    }

    static bool at_end(const UniqueFd& side)
    {
        std::byte byte{};
        return ::recv(side.get(), &byte, 1, 0) == 0;
    }

    void expect_end()
    {
        ASSERT_EQ(ended.wait_for(limit), std::future_status::ready);
        ended.get();
    }

    Rules current{rules()};
    UniqueFd event{::eventfd(0, EFD_CLOEXEC)};
    std::promise<void> changed;
    UniqueFd vmm;
    UniqueFd passt;
    std::optional<Relay> relay;
    std::uint64_t dropped{0};
    std::future<void> ended;
};

const Bytes good = framed(ipv4("198.51.100.7", 400));
const Bytes bad = framed(ipv4("169.254.169.254", 400));

TEST_F(RelayTest, AllowedFramesArriveInOrderAndDeniedOnesDoNot)
{
    say(vmm, good + bad + framed(arp()) + bad + good);
    const auto wanted = good + framed(arp()) + good;
    EXPECT_EQ(hear(passt, wanted.size()), wanted);
    vmm.reset();
    expect_end();
    EXPECT_EQ(dropped, 2U);
    EXPECT_TRUE(at_end(passt));
}

TEST_F(RelayTest, WhatPasstSaysPassesUnseen)
{
    Bytes noise = bad;
    append(noise, {0xff, 0xff, 0xff, 0xff, 1, 2, 3});
    say(passt, noise);
    EXPECT_EQ(hear(vmm, noise.size()), noise);
}

TEST_F(RelayTest, EndsWhenPasstCloses)
{
    passt.reset();
    expect_end();
    EXPECT_TRUE(at_end(vmm));
}

TEST_F(RelayTest, AHalfCloseEndsItAfterWhatWasSaid)
{
    say(vmm, good + good);
    ::shutdown(vmm.get(), SHUT_WR);
    EXPECT_EQ(hear(passt, 2 * good.size()), good + good);
    EXPECT_TRUE(at_end(passt));
    expect_end();
}

TEST_F(RelayTest, AHalfCloseOfPasstsEndsItAfterWhatWasSaid)
{
    say(passt, good);
    ::shutdown(passt.get(), SHUT_WR);
    EXPECT_EQ(hear(vmm, good.size()), good);
    EXPECT_TRUE(at_end(vmm));
    expect_end();
}

TEST_F(RelayTest, AFrameLongerThanAnyEndsTheConnection)
{
    Bytes lie;
    append_number(lie, FrameStream::frame_limit + 1, 4);
    say(vmm, good + lie);
    ASSERT_EQ(ended.wait_for(limit), std::future_status::ready);
    EXPECT_THROW(ended.get(), Error);
    EXPECT_TRUE(at_end(vmm));
}

/// Writes until the socket takes no more for a while; how much it took.
std::size_t fill(const UniqueFd& socket, const Bytes& unit, std::size_t at_most)
{
    constexpr int quiet_ms = 300;
    std::size_t total = 0;
    pollfd source{socket.get(), POLLOUT, 0};
    while (total < at_most && ::poll(&source, 1, quiet_ms) == 1) {
        const auto sent = ::send(socket.get(), unit.data(), unit.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            EXPECT_EQ(static_cast<std::size_t>(sent), unit.size()) << "the test needs whole frames";
            total += static_cast<std::size_t>(sent);
        }
    }
    return total;
}

constexpr std::size_t plenty = 16 * 1024 * 1024;

TEST_F(RelayTest, APasstThatDoesNotReadStopsTheVmmAndLosesNothing)
{
    const auto taken = fill(vmm, good, plenty);
    EXPECT_LT(taken, 2 * 1024 * 1024U) << "two socket buffers and one stream buffer are all that there is";
    EXPECT_EQ(hear(passt, taken).size(), taken);
    say(vmm, bad + framed(arp()));
    EXPECT_EQ(hear(passt, framed(arp()).size()), framed(arp()));
}

TEST_F(RelayTest, EachReadOfPasstsEndsWithAFrame)
{
    Bytes many;
    while (many.size() + good.size() < FrameStream::run_limit) {
        many = many + good;
    }
    const auto taken = fill(vmm, many, plenty);
    Bytes buffer(plenty);
    pollfd source{passt.get(), POLLIN, 0};
    std::size_t total = 0;
    while (total < taken) {
        ASSERT_EQ(::poll(&source, 1, static_cast<int>(limit.count()) * 1000), 1);
        const auto got = ::recv(passt.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        ASSERT_GT(got, 0);
        ASSERT_EQ(static_cast<std::size_t>(got) % good.size(), 0U) << "passt of 2023-03 would lose its place";
        total += static_cast<std::size_t>(got);
    }
    EXPECT_EQ(total, taken);
}

TEST_F(RelayTest, AVmmThatDoesNotReadStopsPasstAloneAndLosesNothing)
{
    const auto taken = fill(passt, good, plenty);
    EXPECT_LT(taken, 2 * 1024 * 1024U);
    say(vmm, good);
    EXPECT_EQ(hear(passt, good.size()), good) << "the other direction goes on";
    EXPECT_EQ(hear(vmm, taken).size(), taken);
}

TEST_F(RelayTest, EndsWhileBothDirectionsAreFull)
{
    fill(passt, good, plenty);
    fill(vmm, good, plenty);
    vmm.reset();
    expect_end();
}

TEST_F(RelayTest, AnEndlessStreamOfDeniedFramesKeepsNothing)
{
    const auto unit = bad + bad + bad + bad;
    EXPECT_GE(fill(vmm, unit, plenty), plenty);
    say(vmm, good);
    EXPECT_EQ(hear(passt, good.size()), good);
}

TEST_F(RelayTest, NewRulesHoldForTheNextFrame)
{
    say(vmm, good);
    EXPECT_EQ(hear(passt, good.size()), good);
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(event.get(), &one, sizeof one), sizeof one);
    ASSERT_EQ(changed.get_future().wait_for(limit), std::future_status::ready);
    say(vmm, good + framed(arp()));
    EXPECT_EQ(hear(passt, framed(arp()).size()), framed(arp()));
}

}  // namespace
}  // namespace banger::netguard::test
