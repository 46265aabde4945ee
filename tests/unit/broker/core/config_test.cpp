// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/config.hpp"

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using ::testing::HasSubstr;

std::string complaint(std::string_view text)
{
    try {
        parse_broker_config(text, "broker.toml");
        return "none";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
}

TEST(BrokerConfigTest, AnEmptyFileHasTheDefaults)
{
    const auto config = parse_broker_config("", "broker.toml");
    EXPECT_EQ(ipv4_text(config.pool.network), "10.213.0.0");
    EXPECT_EQ(config.pool.prefix, 16U);
    EXPECT_EQ(config.user.sandboxes, 64U);
    EXPECT_EQ(config.user.bytes, 256 * gib);
    EXPECT_EQ(config.user.calls, 32U);
    EXPECT_EQ(config.all.sandboxes, 256U);
    EXPECT_EQ(config.all.bytes, 1024 * gib);
    EXPECT_EQ(config.all.calls, 256U);
    EXPECT_EQ(config.log_level, "info");
}

TEST(BrokerConfigTest, AWholeFileIsTaken)
{
    const auto config = parse_broker_config(
        "address_pool = '192.168.0.0/20'\nlog_level = 'debug'\n[quota.user]\nsandboxes = 0\nbytes = '1T'\ncalls = 1\n"
        "[quota.all]\nsandboxes = 4096\nbytes = '16MiB'\ncalls = 4096\n",
        "broker.toml");
    EXPECT_EQ(config.pool.slots(), 1024U);
    EXPECT_EQ(config.user.sandboxes, 0U);
    EXPECT_EQ(config.user.bytes, 1024 * gib);
    EXPECT_EQ(config.all.bytes, 16 * mib);
    EXPECT_EQ(config.log_level, "debug");
}

TEST(BrokerConfigTest, AMistakeIsToldWithFileLineAndMend)
{
    EXPECT_THAT(complaint("\nadress_pool = '10.0.0.0/16'"),
                ::testing::AllOf(HasSubstr("broker.toml:2"), HasSubstr("did you mean address_pool")));
    EXPECT_THAT(complaint("log_level = 7"), HasSubstr("broker.toml:1: log_level: must be a string"));
    EXPECT_THAT(complaint("log_level = 'loud'"), HasSubstr("debug, info, warn or error"));
    EXPECT_THAT(complaint("quota = 3"), HasSubstr("must be a table"));
    EXPECT_THAT(complaint("[quota.users]"), HasSubstr("did you mean user"));
    EXPECT_THAT(complaint("[quota.user]\nsandboxes = 4097"), HasSubstr("broker.toml:2"));
    EXPECT_THAT(complaint("[quota.user]\nsandboxes = -1"), HasSubstr("0 to 4096"));
    EXPECT_THAT(complaint("[quota.user]\ncalls = 0"), HasSubstr("1 to 4096"));
    EXPECT_THAT(complaint("[quota.all]\nbytes = '1Q'"), HasSubstr("bytes"));
    EXPECT_THAT(complaint("[quota.all]\nbytes = 5"), HasSubstr("must be a string"));
    EXPECT_THAT(complaint("a = "), HasSubstr("broker.toml:1"));
}

TEST(BrokerConfigTest, APoolIsANetworkThatHostsCanHave)
{
    EXPECT_EQ(AddressPool::parse("10.213.0.0/28").slots(), 4U);
    EXPECT_EQ(AddressPool::parse("172.16.0.0/16").slots(), 16384U);
    for (const auto* bad : {"",
                            "10.0.0.0",
                            "10.0.0.0/",
                            "10.0.0.0/15",
                            "10.0.0.0/29",
                            "10.0.0.0/33",
                            "10.0.0.1/16",
                            "10.0.0/16",
                            "10.0.0.0.0/16",
                            "256.0.0.0/16",
                            "0.0.0.0/16",
                            "127.0.0.0/16",
                            "224.0.0.0/16",
                            "255.255.0.0/16",
                            "169.254.0.0/16",
                            "10.0.0.0/16 ",
                            " 10.0.0.0/16",
                            "10.0.0.0/-1",
                            "10.-1.0.0/16",
                            "0x0a.0.0.0/16",
                            "10.0.0.0/016x",
                            "fd00::/16"}) {
        EXPECT_EQ(error_of([&] { AddressPool::parse(bad); }), ErrorCode::InvalidArgument) << bad;
    }
}

}  // namespace
}  // namespace banger::broker::test
