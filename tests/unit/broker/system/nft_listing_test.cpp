// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nft_listing.hpp"

#include <gtest/gtest.h>

namespace banger::broker {
namespace {

std::string forward(const std::string& rules, const std::string& policy = "accept")
{
    return "table ip filter {\n\tchain FORWARD { # handle 1\n\t\ttype filter hook forward priority filter; policy " +
           policy + ";\n" + rules + "\t}\n}\n";
}

TEST(NftListing, OurRulesAreFoundByTheirComment)
{
    const auto rules = own_rules(
        forward("\t\tiifname \"bgr7\" counter packets 12 bytes 3400 accept comment \"banger-1000-web\" # handle 21\n"
                "\t\toifname \"bgr7\" counter accept comment \"banger-1000-web\" # handle 22\n"
                "\t\tiifname \"eth0\" counter packets 1 bytes 2 accept comment \"somebody\" # handle 23\n"));
    ASSERT_EQ(rules.size(), 2U);
    EXPECT_EQ(rules[0].altname, "banger-1000-web");
    EXPECT_EQ(rules[0].tap, "bgr7");
    EXPECT_EQ(rules[0].handle, 21U);
    EXPECT_EQ(rules[0].text, "iifname \"bgr7\" counter accept comment \"banger-1000-web\"");
    EXPECT_EQ(rules[1].handle, 22U);
}

TEST(NftListing, AfterIptablesRestoreTheyAreFoundByWhatTheySay)
{
    const auto rules =
        own_rules(forward("\t\tiifname \"bgr7\"  counter packets 0 bytes 0 accept # handle 4\n"
                          "\t\toifname \"bgr7\"  counter accept # handle 5\n"
                          "\t\tiifname \"bgr7\" ip saddr 10.0.0.1 counter accept # handle 6\n"
                          "\t\tiifname \"bgr7\" counter drop # handle 7\n"
                          "\t\tiifname \"bgr\" counter accept # handle 8\n"
                          "\t\tiifname \"bgr7\" counter accept comment \"mine\" # handle 9\n"));
    ASSERT_EQ(rules.size(), 2U);
    EXPECT_EQ(rules[0].altname, "");
    EXPECT_EQ(rules[0].tap, "bgr7");
    EXPECT_EQ(rules[1].handle, 5U);
}

TEST(NftListing, AChainThatMayDropIsSeen)
{
    EXPECT_FALSE(may_drop(forward("")));
    EXPECT_FALSE(may_drop(forward("\t\tip saddr 10.0.0.1 counter packets 0 bytes 0 accept # handle 3\n")));
    EXPECT_FALSE(may_drop(forward("\t\tiifname \"bgr7\" counter accept comment \"banger-1000-drop\" # handle 3\n")));
    EXPECT_TRUE(may_drop(forward("", "drop")));
    for (const auto* rule :
         {"counter packets 0 bytes 0 drop", "drop", "jump ufw-before-forward", "iifname \"a\" goto b",
          "counter reject with icmp type port-unreachable", "counter packets 0 bytes 0 xt target \"REJECT\""}) {
        EXPECT_TRUE(may_drop(forward("\t\t" + std::string{rule} + " # handle 3\n"))) << rule;
    }
}

TEST(NftListing, ChainsOfTheFilterTableAloneCount)
{
    const std::string chains =
        "table ip nat {\n\tchain DOCKER-USER {\n\t}\n}\ntable ip filter {\n\tchain FORWARD {\n\t\ttype filter hook "
        "forward priority filter; policy accept;\n\t}\n}\ntable ip other {\n\tchain INPUT {\n\t}\n}\n";
    EXPECT_TRUE(has_filter_chain(chains, "FORWARD"));
    EXPECT_FALSE(has_filter_chain(chains, "DOCKER-USER"));
    EXPECT_FALSE(has_filter_chain(chains, "INPUT"));
    EXPECT_FALSE(has_filter_chain("", "FORWARD"));
}

}  // namespace
}  // namespace banger::broker
