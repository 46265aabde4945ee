// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/listeners.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/unique_fd.hpp"

namespace banger::guest {
namespace {

constexpr auto tcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0 100 0 0 10 0\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100 0 0 10 0\n"
    "   2: 0F02000A:0016 0202000A:D2F0 01 00000000:00000000 02:000A7D6A 00000000     0        0 13 4 0 20 4 31 10 -1\n";
constexpr auto tcp6 =
    "  sl  local_address                         remote_address                        st tx rx tr when uid timeout "
    "inode\n"
    "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 21 1 0\n";
constexpr auto udp = "   9: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 31 2 0 0\n";

TEST(ListenersTest, ListeningSocketsAreRead)
{
    const auto ports = open_ports(tcp, "tcp");
    ASSERT_EQ(ports.size(), 2U);
    EXPECT_EQ(ports[0].listener.address, "127.0.0.1");
    EXPECT_EQ(ports[0].listener.port, 631);
    EXPECT_EQ(ports[0].inode, 11U);
    EXPECT_EQ(ports[1].listener.address, "0.0.0.0");
    const auto six = open_ports(tcp6, "tcp");
    ASSERT_EQ(six.size(), 1U);
    EXPECT_EQ(six[0].listener.address, "::1");
    EXPECT_EQ(six[0].listener.port, 8080);
    const auto datagrams = open_ports(udp, "udp");
    ASSERT_EQ(datagrams.size(), 1U);
    EXPECT_EQ(datagrams[0].listener.protocol, "udp");
}

TEST(ListenersTest, OtherLinesAreLeftOut)
{
    for (const auto* text : {"", "\n", "sl local", " 0: 0100007F:0277 0 0A 1 2 3 4 5 x", " 0: zz:16 0 0A 1 2 3 4 5 6",
                             " 0: 00000000:FFFFF 0 0A 1 2 3 4 5 6", " 0: 000000:16 0 0A 1 2 3 4 5 6",
                             " 0: 00000000:0000 0 0A 1 2 3 4 5 6"}) {
        EXPECT_TRUE(open_ports(text, "tcp").empty()) << text;
    }
}

TEST(ListenersTest, AListeningSocketOfOursIsFoundWithItsProgram)
{
    const UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(socket.get(), 1), 0);
    ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    const auto all = machine_listeners().listeners;
    const auto ours = std::find_if(all.begin(), all.end(), [&](const wire::Listener& one) {
        return one.port == ntohs(address.sin_port) && one.protocol == "tcp";
    });
    ASSERT_NE(ours, all.end());
    EXPECT_EQ(ours->address, "127.0.0.1");
    EXPECT_EQ(ours->program, "guest_core_test");
}

}  // namespace
}  // namespace banger::guest
