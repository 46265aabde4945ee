// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/port_rows.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

JsonValue listener(const char* address, std::uint16_t port, const char* protocol = "tcp")
{
    return {{"protocol", protocol}, {"address", address}, {"port", port}, {"program", "nginx"}};
}

std::vector<PortRow> rows(const JsonValue& list, const std::vector<OpenForward>& forwards = {},
                          const std::string& tap = "")
{
    return port_rows({{"listeners", list}}, forwards, tap);
}

TEST(PortRows, AForwardReachesWhatListensOnTheGuestsLoopback)
{
    const auto list =
        JsonValue::array({listener("127.0.0.1", 80), listener("0.0.0.0", 80, "udp"), listener("10.213.0.2", 81)});
    const auto found = rows(list, {{"127.0.0.1", 8080, 80}, {"::1", 8081, 81}});
    ASSERT_EQ(found.size(), 4U);
    ASSERT_EQ(found[0].forwards.size(), 1U);
    EXPECT_EQ(found[0].forwards[0].port, 8080);
    EXPECT_TRUE(found[1].forwards.empty()) << "forwards are TCP";
    EXPECT_TRUE(found[2].forwards.empty()) << "it listens elsewhere";
    EXPECT_EQ(found[3].address, "") << "nothing does";
    EXPECT_EQ(found[3].forwards[0].port, 8081);
}

TEST(PortRows, ATapReachesWhatListensOnIt)
{
    const auto list = JsonValue::array({listener("::", 80), listener("127.0.0.1", 81), listener("10.213.0.2", 82)});
    const auto found = rows(list, {}, "10.213.0.2");
    EXPECT_EQ(found[0].direct, "10.213.0.2:80");
    EXPECT_EQ(found[1].direct, "");
    EXPECT_EQ(found[2].direct, "10.213.0.2:82");
}

TEST(PortRows, AGuestMaySayAnything)
{
    for (const char* const answer : {"", "[]", "7", "{}", R"({"listeners": 7})",
                                     R"({"listeners": [7, {}, {"port": "x"}]})", R"({"listeners": [{"port": -1}]})"}) {
        EXPECT_TRUE(port_rows(JsonValue::parse(answer, nullptr, false), {}, "").empty()) << answer;
    }
}

TEST(PortRows, APlaceOfIPv6HasBrackets)
{
    EXPECT_EQ(place_of("127.0.0.1", 80), "127.0.0.1:80");
    EXPECT_EQ(place_of("::1", 80), "[::1]:80");
}

}  // namespace
}  // namespace banger::cli
