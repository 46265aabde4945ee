// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/name_server.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>
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
constexpr std::uint8_t type_ptr = 12;
constexpr std::uint8_t type_aaaa = 28;

int code_of(const Bytes& answer) { return answer.at(3) & 0x0f; }
int answers_in(const Bytes& answer) { return answer.at(6) * 256 + answer.at(7); }
/// One row, whose last number, the time to keep that there is nothing, is a second.
bool has_authority(const Bytes& answer)
{
    return answer.at(8) * 256 + answer.at(9) == 1 && Bytes(answer.end() - 4, answer.end()) == Bytes{0, 0, 0, 1};
}
std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

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
        EXPECT_EQ(Bytes(answer.end() - 10, answer.end() - 6), (Bytes{0, 0, 0, 1})) << "the time to live";
    }
}

TEST(DnsAnswer, AnotherTypeOfTheNameHasNoData)
{
    const auto answer = answer_dns(question("web.vm", type_aaaa), web);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(answers_in(answer), 0);
    EXPECT_TRUE(has_authority(answer));
}

TEST(DnsAnswer, TheAddressIsAnsweredWithItsName)
{
    const auto answer = answer_dns(question("2.0.213.10.in-addr.arpa", type_ptr), web);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(answers_in(answer), 1);
    EXPECT_NE(text_of(answer).rfind("\3web\2vm"), std::string::npos);
    const auto none = answer_dns(question("2.0.213.10.in-addr.arpa", type_a), web);
    EXPECT_EQ(code_of(none), 0);
    EXPECT_EQ(answers_in(none), 0);
    EXPECT_TRUE(has_authority(none));
}

TEST(DnsAnswer, AnotherNameDoesNotExist)
{
    constexpr int nxdomain = 3;
    const std::string longest = std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
                                std::string(54, 'd') + ".web.vm";
    for (const std::string& name : {std::string{"db.vm"}, std::string{"a.web.vm"}, longest}) {
        const auto answer = answer_dns(question(name, type_a), web);
        ASSERT_FALSE(answer.empty()) << name;
        EXPECT_EQ(code_of(answer), nxdomain) << name;
        EXPECT_TRUE(has_authority(answer)) << name;
        EXPECT_LE(answer.size(), 512U) << "all that a datagram may have";
    }
}

TEST(DnsAnswer, TheDomainItselfExists)
{
    const auto answer = answer_dns(question("vm", type_a), web);
    EXPECT_EQ(code_of(answer), 0);
    EXPECT_EQ(answers_in(answer), 0);
    EXPECT_TRUE(has_authority(answer));
}

TEST(DnsAnswer, WhatIsNoVmsIsRefused)
{
    constexpr int refused = 5;
    for (const auto* name : {"web.vm.example", "example.org", "webvm", "3.0.213.10.in-addr.arpa", ""}) {
        const auto answer = answer_dns(question(name, type_a), web);
        EXPECT_EQ(code_of(answer), refused) << name;
        EXPECT_EQ(answer.at(2) & 0x04, 0) << "not ours to say";
        EXPECT_EQ(answer.size(), question(name, type_a).size()) << "nothing more comes back than was sent";
    }
    auto chaos = question("web.vm", type_a);
    chaos.back() = 3;
    EXPECT_EQ(code_of(answer_dns(chaos, web)), refused);
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

UniqueFd connect_to(std::uint16_t port)
{
    UniqueFd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return socket;
}

Bytes with_length(const Bytes& query)
{
    Bytes framed{static_cast<std::uint8_t>(query.size() >> 8U), static_cast<std::uint8_t>(query.size())};
    framed.insert(framed.end(), query.begin(), query.end());
    return framed;
}

/// All that comes until the other end closes, or `size` bytes.
Bytes read_from(const UniqueFd& socket, std::size_t size)
{
    Bytes got;
    std::array<std::uint8_t, 512> piece{};
    while (got.size() < size) {
        const auto length = ::recv(socket.get(), piece.data(), std::min(piece.size(), size - got.size()), 0);
        if (length <= 0) {
            break;
        }
        got.insert(got.end(), piece.begin(), piece.begin() + length);
    }
    return got;
}

Bytes answer_from(const UniqueFd& socket)
{
    const auto length = read_from(socket, 2);
    return length.size() == 2 ? read_from(socket, static_cast<std::size_t>(length[0] * 256 + length[1])) : Bytes{};
}

class NameServerTcp : public ::testing::Test {
protected:
    /// `client` on a thread of its own, while the server's loop runs.
    void run(const std::function<void()>& client)
    {
        std::jthread thread{[&] {
            client();
            loop.post([this] { loop.quit(0); });
        }};
        loop.run();
    }
    EventLoop loop;
    NameServer server{loop};
    std::uint16_t port{port_of(server.serve(web, INADDR_LOOPBACK))};
};

TEST_F(NameServerTcp, AnswersAtTheSamePortHoweverQueriesAreCut)
{
    const auto query = with_length(question("web.vm", type_a));
    run([&] {
        const auto socket = connect_to(port);
        for (const auto byte : query) {
            ::send(socket.get(), &byte, 1, 0);
        }
        EXPECT_EQ(answers_in(answer_from(socket)), 1);
        auto two = query;
        two.insert(two.end(), query.begin(), query.end());
        ::send(socket.get(), two.data(), two.size(), 0);
        EXPECT_EQ(answers_in(answer_from(socket)), 1);
        EXPECT_EQ(answers_in(answer_from(socket)), 1);
    });
}

TEST_F(NameServerTcp, HangsUpOnWhatIsNoQuery)
{
    run([&] {
        for (const Bytes& garbage : {Bytes{0, 0}, Bytes{0xff, 0xff}, Bytes{0, 3, 1, 2, 3},
                                     with_length(question("web.vm", type_a, 0x81)), Bytes(5000, 'x')}) {
            const auto socket = connect_to(port);
            ::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
            EXPECT_TRUE(read_from(socket, 1).empty());
        }
        const auto query = with_length(question("web.vm", type_a));
        const auto socket = connect_to(port);
        ::send(socket.get(), query.data(), query.size(), 0);
        EXPECT_EQ(answers_in(answer_from(socket)), 1) << "and answers the next one";
    });
}

TEST_F(NameServerTcp, ConnectionsThatAreHeldOpenKeepNobodyOut)
{
    run([&] {
        std::vector<UniqueFd> held;
        constexpr int many = 40;
        for (int i = 0; i < many; ++i) {
            held.push_back(connect_to(port));
        }
        const auto query = with_length(question("web.vm", type_a));
        const auto socket = connect_to(port);
        ::send(socket.get(), query.data(), query.size(), 0);
        EXPECT_EQ(answers_in(answer_from(socket)), 1);
        EXPECT_TRUE(read_from(held.front(), 1).empty()) << "the oldest is hung up on";
    });
}

TEST(NameServer, OnlyTheHostAndTheGuestAreAnswered)
{
    EventLoop loop;
    NameServer server{loop};
    constexpr std::uint32_t other_address = INADDR_LOOPBACK + 1;  // a host has all of 127.0.0.0/8
    const auto port = port_of(server.serve(web, INADDR_LOOPBACK));
    const auto query = question("web.vm", type_a);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    auto from = to;
    from.sin_addr.s_addr = htonl(other_address);
    from.sin_port = 0;
    std::jthread client{[&] {
        for (const int type : {SOCK_DGRAM, SOCK_STREAM}) {
            const UniqueFd stranger{::socket(AF_INET, type | SOCK_CLOEXEC, 0)};
            ::bind(stranger.get(), reinterpret_cast<const sockaddr*>(&from), sizeof from);
            ::connect(stranger.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
            const auto sent = type == SOCK_DGRAM ? query : with_length(query);
            ::send(stranger.get(), sent.data(), sent.size(), MSG_NOSIGNAL);
            // The server has seen it by the time that it has answered the next one.
            EXPECT_EQ(answers_in(ask(port, query)), 1);
            std::uint8_t byte = 0;
            EXPECT_LE(::recv(stranger.get(), &byte, 1, MSG_DONTWAIT), 0);
        }
        loop.post([&loop] { loop.quit(0); });
    }};
    loop.run();
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
