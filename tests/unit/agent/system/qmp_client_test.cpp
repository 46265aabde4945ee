// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/qmp_client.hpp"

#include <sys/socket.h>

#include <array>
#include <string>

#include "agent/system/unix_socket.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

constexpr auto greeting = R"({"QMP": {"version": {}, "capabilities": []}})"
                          "\r\n";
constexpr auto power_off = R"({"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}})"
                           "\r\n";

constexpr auto handshake = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";

class QmpClientTest : public test::LoopTest {
protected:
    void say(std::string_view text)
    {
        ASSERT_EQ(::send(qemu.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }
    /// What the client has sent by now.
    std::string heard()
    {
        std::array<char, 4096> buffer{};
        const auto got = ::recv(qemu.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    }
    bool comes(const std::string& text)
    {
        std::string all;
        return drive([&] {
            all += heard();
            return all == text;
        });
    }

    SocketPair pair{make_socket_pair(SOCK_STREAM)};
    UniqueFd qemu{std::move(pair.theirs)};
    QmpClient client{loop, std::move(pair.ours)};
};

TEST_F(QmpClientTest, AnswersTheGreetingWithItsCapabilities)
{
    say(greeting);
    EXPECT_TRUE(comes(handshake));
    EXPECT_FALSE(client.guest_end());
}

TEST_F(QmpClientTest, PutsLinesTogetherThatComeInPieces)
{
    for (const char c : std::string{greeting} + power_off) {
        say({&c, 1});
        sd_event_run(loop.get(), 0);
    }
    EXPECT_TRUE(drive([&] { return client.guest_end() == GuestEnd::PowerOff; }));
    EXPECT_TRUE(comes(handshake));
}

TEST_F(QmpClientTest, TellsAResetFromEveryOtherEnd)
{
    const auto end_after = [](const std::string& event) {
        EventLoop own;
        auto own_pair = make_socket_pair(SOCK_STREAM);
        QmpClient own_client{own, std::move(own_pair.ours)};
        EXPECT_GT(::send(own_pair.theirs.get(), event.data(), event.size(), 0), 0);
        return own_client.guest_end();
    };
    const auto shutdown = [](const std::string& reason) {
        return R"({"event":"SHUTDOWN","data":{"reason":")" + reason + "\"}}\n";
    };
    EXPECT_EQ(end_after(shutdown("guest-reset")), GuestEnd::Reset);
    EXPECT_EQ(end_after(shutdown("guest-shutdown")), GuestEnd::PowerOff);
    EXPECT_EQ(end_after(shutdown("host-qmp-quit")), GuestEnd::PowerOff);
    EXPECT_EQ(end_after(shutdown("a reason of a later QEMU")), GuestEnd::PowerOff);
    EXPECT_EQ(end_after("{\"event\":\"SHUTDOWN\"}\n"), GuestEnd::PowerOff);
    EXPECT_EQ(end_after("{\"event\":\"SHUTDOWN\",\"data\":[1]}\n"), GuestEnd::PowerOff);
    EXPECT_EQ(end_after("{\"event\":\"SHUTDOWN\",\"data\":{\"reason\":7}}\n"), GuestEnd::PowerOff);
    EXPECT_EQ(end_after("{\"event\":\"STOP\"}\n"), std::nullopt);
    EXPECT_EQ(end_after("{\"event\":[\"SHUTDOWN\"]}\n"), std::nullopt);
    EXPECT_EQ(end_after("{\"return\":{\"event\":\"SHUTDOWN\"}}\n"), std::nullopt);
}

TEST_F(QmpClientTest, HearsAnEventThatComesBeforeTheGreeting)
{
    say(std::string{power_off} + greeting);
    EXPECT_TRUE(comes(handshake));
    EXPECT_EQ(client.guest_end(), GuestEnd::PowerOff);
}

TEST_F(QmpClientTest, PassesOverWhatIsNoJsonOrNoObject)
{
    for (const auto* line : {"", "{", "\xff\xfe", "[]", "null", "7", "\"event\"", "{}", "[{\"event\":\"SHUTDOWN\"}]"}) {
        say(std::string{line} + "\n");
    }
    say(std::string(100'000, '[') + "\n" + power_off);
    EXPECT_TRUE(drive([&] { return client.guest_end().has_value(); }));
}

TEST_F(QmpClientTest, ReadsWhatIsLeftOfAVmmThatHasEndedAlready)
{
    say(power_off);
    qemu.reset();
    EXPECT_EQ(client.guest_end(), GuestEnd::PowerOff);  // without a turn of the loop
    EXPECT_EQ(client.guest_end(), GuestEnd::PowerOff);
}

TEST_F(QmpClientTest, AVmmThatIsGoneIsNoErrorAndCostsNoTurns)
{
    qemu.reset();
    client.quit();
    EXPECT_EQ(client.guest_end(), std::nullopt);
    int turns = 0;
    constexpr std::uint64_t microseconds = 30'000;
    while (turns < 100 && sd_event_run(loop.get(), microseconds) > 0) {
        ++turns;
    }
    EXPECT_LT(turns, 100);
}

TEST_F(QmpClientTest, AnEndlessLineIsGivenUpAndNotRead)
{
    const std::string piece(64 << 10, 'x');
    std::size_t taken = 0;
    constexpr std::size_t far_beyond = 64U << 20U;
    bool stuck = false;
    while (!stuck && taken < far_beyond) {
        const auto sent = ::send(qemu.get(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        taken += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        constexpr std::uint64_t microseconds = 30'000;
        stuck = sd_event_run(loop.get(), microseconds) == 0 && sent < 0;
    }
    EXPECT_TRUE(stuck);
    EXPECT_GE(taken, std::size_t{1} << 20U);
    EXPECT_LT(taken, std::size_t{4} << 20U);
    EXPECT_EQ(client.guest_end(), std::nullopt);
}

TEST_F(QmpClientTest, QuitIsSentAsALine)
{
    client.quit();
    EXPECT_TRUE(comes("{\"execute\":\"quit\"}\n"));
}

TEST_F(QmpClientTest, AVmmThatNeverReadsBlocksNobody)
{
    for (int i = 0; i < 100'000; ++i) {
        client.quit();
    }
    say(power_off);
    EXPECT_EQ(client.guest_end(), GuestEnd::PowerOff);
}

TEST_F(QmpClientTest, KnowsAGuestThatAFullDiskStoppedAndLetsItGoOn)
{
    EXPECT_FALSE(client.is_stuck());
    say("{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"report\",\"nospace\":false}}\n");
    say("{\"event\":\"BLOCK_IO_ERROR\",\"data\":{\"action\":\"stop\",\"nospace\":true}}\n");
    EXPECT_TRUE(drive([&] { return client.is_stuck(); }));
    client.go_on();
    EXPECT_TRUE(comes("{\"execute\":\"cont\"}\n"));
    EXPECT_FALSE(client.is_stuck());
}

TEST_F(QmpClientTest, KnowsOneThatWasStoppedBeforeThisBangerd)
{
    say("{\"return\":{\"status\":\"running\",\"running\":true}}\n{\"return\":[]}\n{\"return\":{}}\n");
    let_pass();
    EXPECT_FALSE(client.is_stuck());
    say("{\"return\":{\"status\":\"io-error\",\"running\":false}}\n");
    EXPECT_TRUE(drive([&] { return client.is_stuck(); }));
}

}  // namespace
}  // namespace banger::agent
