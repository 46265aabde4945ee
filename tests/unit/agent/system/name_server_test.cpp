// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_server.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <string_view>
#include <thread>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// RFC 1035, section 4.1, by hand: one question, recursion desired.
Bytes question(std::string_view name, std::uint8_t type, std::uint8_t flags = 0x01)
{
    Bytes query{0x12, 0x34, flags, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    while (!name.empty()) {
        const auto label = name.substr(0, name.find('.'));
        query.push_back(static_cast<std::uint8_t>(label.size()));
        query.insert(query.end(), label.begin(), label.end());
        name.remove_prefix(std::min(name.size(), label.size() + 1));
    }
    query.insert(query.end(), {0, 0, type, 0, 1});
    return query;
}

const DnsName web{.name = "web.vm", .address = 0x0ad50002};
constexpr std::uint8_t type_a = 1;
constexpr std::uint8_t type_aaaa = 28;

int code_of(const Bytes& answer) { return answer.at(3) & 0x0f; }
int answers_in(const Bytes& answer) { return answer.at(6) * 256 + answer.at(7); }

TEST(DnsAnswer, ANameIsAnsweredWithItsAddressInAnyCase)
{
    for (const auto* name : {"web.vm", "WeB.vM"}) {
        const auto answer = answer_dns(question(name, type_a), web);
        ASSERT_FALSE(answer.empty());
        EXPECT_EQ(Bytes(answer.begin(), answer.begin() + 2), (Bytes{0x12, 0x34}));
        EXPECT_EQ(answer[2] & 0x85, 0x85) << "an answer, authoritative, recursion desired as in the query";
        EXPECT_EQ(code_of(answer), 0);
        EXPECT_EQ(answers_in(answer), 1);
        EXPECT_EQ(Bytes(answer.end() - 4, answer.end()), (Bytes{10, 213, 0, 2}));
        EXPECT_EQ(Bytes(answer.end() - 10, answer.end() - 6), (Bytes{0, 0, 0, 0})) << "the time to live";
    }
}

TEST(DnsAnswer, AnotherTypeOfTheNameHasNoData)
{
    const auto answer = answer_dns(question("web.vm", type_aaaa), web);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(answers_in(answer), 0);
}

TEST(DnsAnswer, AnotherNameDoesNotExist)
{
    constexpr int nxdomain = 3;
    for (const auto* name : {"db.vm", "web.vm.example", "a.web.vm", "vm"}) {
        EXPECT_EQ(code_of(answer_dns(question(name, type_a), web)), nxdomain) << name;
    }
}

TEST(DnsAnswer, WhatIsNoQueryGetsNone)
{
    EXPECT_TRUE(answer_dns(question("web.vm", type_a, 0x81), web).empty()) << "an answer";
    EXPECT_TRUE(answer_dns({}, web).empty());
    const Bytes torn{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w'};
    EXPECT_TRUE(answer_dns(torn, web).empty());
    constexpr int not_implemented = 4;
    EXPECT_EQ(code_of(answer_dns(question("web.vm", type_a, 0x20), web)), not_implemented) << "a notification";
}

/// What a server at `port` of 127.0.0.1 answers within a second.
Bytes ask(std::uint16_t port, const Bytes& query)
{
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    ::sendto(socket.get(), query.data(), query.size(), 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 1000) != 1) {
        return {};
    }
    std::array<std::uint8_t, 512> answer{};
    const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
    return {answer.begin(), answer.begin() + std::max<ssize_t>(size, 0)};
}

std::uint16_t port_of(int descriptor)
{
    sockaddr_in bound{};
    socklen_t size = sizeof bound;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size);
    return ntohs(bound.sin_port);
}

TEST(NameServer, ANameIsServedUntilItIsForgotten)
{
    EventLoop loop;
    NameServer server{loop};
    const auto port = port_of(server.serve(web, INADDR_LOOPBACK));
    EXPECT_GE(port, 1024);
    Bytes answer;
    std::jthread client{[&] {
        answer = ask(port, question("web.vm", type_a));
        loop.post([&loop] { loop.quit(0); });
    }};
    loop.run();
    client.join();
    EXPECT_EQ(answers_in(answer), 1);
    server.forget("web.vm");
    EXPECT_TRUE(ask(port, question("web.vm", type_a)).empty());
}

TEST(NameServer, AnAddressThatIsNotThisHostsIsAnError)
{
    EventLoop loop;
    NameServer server{loop};
    constexpr std::uint32_t documentation = 0xc0000201;  // 192.0.2.1, RFC 5737
    EXPECT_THROW(server.serve(web, documentation), Error);
}

}  // namespace
}  // namespace banger::agent
