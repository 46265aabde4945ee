// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/connect_session.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tests/unit/guest/guest_host.hpp"

namespace banger::guest::test {
namespace {

using wire::RefusedCode;

/// A server of the guest's, in the loop of the test.
class ConnectSessionTest : public testing::Test {
protected:
    ConnectSessionTest()
    {
        listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port = ntohs(address.sin_port);  // refused until listen(2)
    }
    wire::StreamId open(const std::string& host = "127.0.0.1") { return pair.host->open(wire::Connect{host, port}); }
    RefusedCode refusal(wire::StreamId id)
    {
        EXPECT_TRUE(pair.wait_end(id));
        EXPECT_TRUE(pair.seen(id).refused);
        return pair.seen(id).refused ? pair.seen(id).refused->code : RefusedCode::Limit;
    }
    /// A stream, and the server's end of it in `peer`.
    wire::StreamId connected(const std::string& host = "127.0.0.1")
    {
        EXPECT_EQ(::listen(listener.get(), 4), 0);
        const auto id = open(host);
        EXPECT_TRUE(pair.wait([&] {
            if (!peer) {
                peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            }
            return peer && pair.seen(id).opened;
        }));
        return id;
    }
    bool peer_gets(const std::string& wanted)
    {
        std::string text;
        return pair.wait([&] {
            std::array<char, 65536> buffer;  // NOLINT: filled by read
            const auto count = ::read(peer.get(), buffer.data(), buffer.size());
            if (count > 0) {
                text.append(buffer.data(), static_cast<std::size_t>(count));
            }
            peer_end = count == 0;
            return peer_end || text == wanted;
        }) && text == wanted;
    }
    bool peer_gets_the_end() { return peer_gets("") || peer_end; }
    void peer_sends(std::string_view text)
    {
        EXPECT_EQ(::write(peer.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

    GuestAndHost pair;
    UniqueFd listener;
    UniqueFd peer;
    std::uint16_t port{0};
    bool peer_end{false};
};

TEST_F(ConnectSessionTest, BytesGoBothWays)
{
    const auto id = connected();
    pair.host->send(id, "to the guest");
    EXPECT_TRUE(peer_gets("to the guest"));
    peer_sends("to the host");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(id).data == "to the host"; }));
}

TEST_F(ConnectSessionTest, LocalhostIsTheLoopback)
{
    const auto id = connected("localhost");
    peer_sends("x");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(id).data == "x"; }));
}

TEST_F(ConnectSessionTest, AClosedPortIsUnreachable)
{
    const auto id = open();
    EXPECT_EQ(refusal(id), RefusedCode::Unreachable);
    EXPECT_NE(pair.seen(id).refused->text.find("Connection refused"), std::string::npos) << pair.seen(id).refused->text;
}

TEST_F(ConnectSessionTest, ANameIsABadRequest)
{
    for (const char* host : {"example.org", "", "127.0.0.1:22", "127.1", "fe80::1%eth0"}) {
        EXPECT_EQ(refusal(open(host)), RefusedCode::BadRequest) << host;
    }
}

TEST_F(ConnectSessionTest, TheHostsHalfCloseReachesTheServerWhichMayGoOn)
{
    const auto id = connected();
    pair.host->send(id, "question");
    pair.host->end(id);
    EXPECT_TRUE(peer_gets("question"));
    EXPECT_TRUE(peer_gets_the_end());
    peer_sends("answer");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(id).data == "answer"; }));
    EXPECT_FALSE(pair.seen(id).closed);
    peer.reset();
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_TRUE(pair.seen(id).eof);
    EXPECT_EQ(pair.seen(id).closed, wire::CloseReason::Closed);
}

TEST_F(ConnectSessionTest, TheServersHalfCloseReachesTheHostWhichMayGoOn)
{
    const auto id = connected();
    ::shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).eof; }));
    EXPECT_FALSE(pair.seen(id).closed);
    pair.host->send(id, "late");
    EXPECT_TRUE(peer_gets("late"));
    pair.host->end(id);
    EXPECT_TRUE(pair.wait_end(id));
}

TEST_F(ConnectSessionTest, AServerThatDiesWhileDataWaitsForItEndsTheStream)
{
    const auto id = connected();
    pair.host->send(id, std::string(std::size_t{16} << 20U, 'x'));  // more than all buffers hold
    const linger reset{1, 0};
    ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer.reset();
    EXPECT_TRUE(pair.wait_end(id));
}

TEST_F(ConnectSessionTest, AStreamThatTheHostClosesIsClosedInTheGuest)
{
    const auto id = connected();
    pair.host->close(id);
    EXPECT_TRUE(peer_gets_the_end());
}

TEST_F(ConnectSessionTest, AHostThatIsLostClosesItToo)
{
    connected();
    pair.host->vanish();
    EXPECT_TRUE(peer_gets_the_end());
}

TEST_F(ConnectSessionTest, AServerThatIsStillStartingIsWaitedFor)
{
    pair.role.still_starting = true;
    const auto id = open();
    ASSERT_TRUE(pair.wait([&] { return pair.role.asked_whether_starting >= 2; }));  // so it was refused once
    EXPECT_FALSE(pair.seen(id).refused);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    EXPECT_TRUE(pair.wait([&] { return pair.seen(id).opened.has_value(); }));
}

TEST_F(ConnectSessionTest, OnceEverythingHasStartedARefusalIsFinal)
{
    pair.role.still_starting = true;
    const auto id = open();
    ASSERT_TRUE(pair.wait([&] { return pair.role.asked_whether_starting >= 2; }));
    pair.role.still_starting = false;
    EXPECT_EQ(refusal(id), RefusedCode::Unreachable);
}

TEST_F(ConnectSessionTest, WaitingForAServerEndsWithTheStream)
{
    pair.role.still_starting = true;
    const auto id = open();
    ASSERT_TRUE(pair.wait([&] { return pair.role.asked_whether_starting >= 1; }));
    pair.host->close(id);
    ASSERT_EQ(::listen(listener.get(), 4), 0);
    const auto other = open();
    ASSERT_TRUE(pair.wait([&] { return pair.seen(other).opened.has_value(); }));
    EXPECT_GE(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), 0);
    EXPECT_LT(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), 0);
}

}  // namespace
}  // namespace banger::guest::test
