// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/tcp_listener.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent::test {
namespace {

using ::testing::HasSubstr;

UniqueFd client_of(std::uint16_t port)
{
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        socket.reset();
    }
    return socket;
}

class TcpListenerTest : public LoopTest {
protected:
    std::string refusal(const std::string& address, std::uint16_t number, ErrorCode code)
    {
        try {
            const TcpListener listener{loop, address, number, [](UniqueFd) {}};
            return "none";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), code) << error.what();
            return error.what();
        }
    }
};

TEST_F(TcpListenerTest, ConnectionsAreGivenOnAndThePortIsFreeAfterwards)
{
    std::vector<UniqueFd> got;
    std::uint16_t number = 0;
    {
        const TcpListener listener{loop, "127.0.0.1", 0, [&](UniqueFd one) { got.push_back(std::move(one)); }};
        number = listener.number();
        ASSERT_NE(number, 0);
        const auto one = client_of(number);
        const auto other = client_of(number);
        ASSERT_TRUE(drive([&] { return got.size() == 2; }));
        EXPECT_EQ(::write(one.get(), "x", 1), 1);
    }
    EXPECT_FALSE(client_of(number));
    const TcpListener again{loop, "127.0.0.1", number,
                            [](UniqueFd) {}};  // although connections of before are in TIME_WAIT
}

TEST_F(TcpListenerTest, IPv6AloneIsListenedAtToo)
{
    const TcpListener six{loop, "::1", 0, [](UniqueFd) {}};
    EXPECT_NE(six.number(), 0);
}

TEST_F(TcpListenerTest, WhatCantBeHadIsRefusedWithItsReason)
{
    const TcpListener first{loop, "127.0.0.1", 0, [](UniqueFd) {}};
    EXPECT_THAT(refusal("127.0.0.1", first.number(), ErrorCode::InUse), HasSubstr("taken"));
    EXPECT_THAT(refusal("192.0.2.1", 0, ErrorCode::InvalidArgument), HasSubstr("no address of this host"));
    EXPECT_THAT(refusal("localhost", 0, ErrorCode::InvalidArgument), HasSubstr("no IP address"));
    EXPECT_THAT(refusal("127.0.0.1\n", 0, ErrorCode::InvalidArgument), HasSubstr("no IP address"));
    if (::geteuid() != 0) {
        EXPECT_THAT(refusal("127.0.0.1", 1, ErrorCode::InvalidArgument), HasSubstr("root alone"));
    }
}

}  // namespace
}  // namespace banger::agent::test
