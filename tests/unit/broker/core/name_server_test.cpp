// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/name_server.hpp"

#include "broker/core/address_pool.hpp"
#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

class NameServerTest : public ::testing::Test {
protected:
    void expect_refused(const SocketFacts& facts)
    {
        EXPECT_EQ(error_of([&] { check_name_server(facts, network); }), ErrorCode::InvalidArgument);
    }
    const SandboxNetwork network =
        network_of(BrokerConfig{}.pool,
                   {.key = key_of(alice, "box"), .user = "alice", .base_digest = "", .cow_limit = {}, .slot = 7});
    const SocketFacts good{
        .type = SocketFacts::Type::UdpIpv4, .address = network.gateway, .port = 5353, .owner = alice};
};

TEST_F(NameServerTest, R31TheCallersSocketOnTheGatewaysAddressIsTaken)
{
    EXPECT_EQ(check_name_server(good, network), 5353);
    auto facts = good;
    facts.port = 1024;
    EXPECT_EQ(check_name_server(facts, network), 1024);
}

TEST_F(NameServerTest, R31AnotherFamilyAddressPortOrOwnerIsRefused)
{
    auto facts = good;
    facts.type = SocketFacts::Type::Other;
    expect_refused(facts);
    for (const std::uint32_t address : {0U, 0x7f000001U, network.guest, network.gateway + 4, 0xffffffffU}) {
        facts = good;
        facts.address = address;
        expect_refused(facts);
    }
    for (const auto port : std::initializer_list<std::uint16_t>{0, 53, 1023}) {
        facts = good;
        facts.port = port;
        expect_refused(facts);
    }
    for (const uid_t owner : {0U, bob}) {
        facts = good;
        facts.owner = owner;
        expect_refused(facts);
    }
}

}  // namespace
}  // namespace banger::broker::test
