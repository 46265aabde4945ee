// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/sandbox.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::broker {
namespace {

TEST(Sandbox, AnIdIsOneTo32LettersDigitsAndDashes)
{
    for (const auto* good : {"a", "-", "web-1", "0123456789abcdef0123456789abcdef"}) {
        EXPECT_EQ(SandboxId::parse(good).str(), good);
    }
    for (const auto* bad : {"", "0123456789abcdef0123456789abcdef0", "Web", "a.b", "a/b", "a b", "\xc3\xa4", "a\n"}) {
        EXPECT_THROW(SandboxId::parse(bad), Error) << bad;
    }
    EXPECT_THROW(SandboxId::parse(std::string_view{"a\0b", 3}), Error);
}

TEST(Sandbox, AKeyIsReadAsItWasWritten)
{
    for (const auto* good : {"0-a", "1000-web", "1000--", "4294967294-a-b-"}) {
        EXPECT_EQ(SandboxKey::parse(good).str(), good);
    }
    EXPECT_EQ(SandboxKey::parse("1000-web-2").uid, 1000U);
    EXPECT_EQ(SandboxKey::parse("1000-web-2").id.str(), "web-2");
}

TEST(Sandbox, AKeyHasOneSpelling)
{
    for (const auto* bad : {"", "-", "-a", "a", "1000", "1000-", "01000-a", "00-a", "+1-a", " 1-a", "1 -a", "-1-a",
                            "0x1-a", "4294967295-a", "4294967296-a", "99999999999999999999-a", "1000-A"}) {
        EXPECT_THROW(SandboxKey::parse(bad), Error) << bad;
    }
}

TEST(SandboxKeyTest, AMarkNamesASandboxAndNothingElse)
{
    EXPECT_EQ(SandboxKey::parse("1000-web-2").mark(), "banger-1000-web-2");
    EXPECT_EQ(SandboxKey::parse_mark("banger-1000-web-2"), SandboxKey::parse("1000-web-2"));
    for (const auto* bad :
         {"", "banger-", "1000-web-2", "banger-banger-1000-web", "Banger-1000-web", "xbanger-1000-web"}) {
        EXPECT_THROW(SandboxKey::parse_mark(bad), Error) << bad;
    }
}

TEST(Sandbox, AddressesAreWrittenAsPeopleWriteThem)
{
    EXPECT_EQ(ipv4_text(0), "0.0.0.0");
    EXPECT_EQ(ipv4_text(0xac1e001dU), "172.30.0.29");
    EXPECT_EQ(ipv4_text(0xffffffffU), "255.255.255.255");
    EXPECT_EQ(mac_text({0x02, 0xba, 0, 0x0f, 0xff, 1}), "02:ba:00:0f:ff:01");
}

}  // namespace
}  // namespace banger::broker
