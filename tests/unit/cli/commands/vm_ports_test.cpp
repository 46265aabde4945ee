// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_ports.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace banger::cli {
namespace {

std::string shown(const ForwardWish& wish)
{
    return wish.address + " " + std::to_string(wish.port) + " " + std::to_string(wish.guest_port);
}

std::string refusal_of(const std::function<void()>& call)
{
    try {
        call();
        return "none";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
}

TEST(VmPortsTest, ForwardsAreWrittenAsOthersWriteThem)
{
    EXPECT_EQ(shown(parse_forward("8080:80")), " 8080 80");
    EXPECT_EQ(shown(parse_forward("80")), " 80 80");
    EXPECT_EQ(shown(parse_forward("0:80")), " 0 80");
    EXPECT_EQ(shown(parse_forward("192.0.2.1:8080:80")), "192.0.2.1 8080 80");
    EXPECT_EQ(shown(parse_forward("localhost:8080:80")), "127.0.0.1 8080 80");
    EXPECT_EQ(shown(parse_forward("[::1]:8080:80")), "::1 8080 80");
    EXPECT_EQ(shown(parse_forward("[::1]:80")), "::1 80 80");
    EXPECT_EQ(shown(parse_forward("65535:1")), " 65535 1");
    EXPECT_EQ(shown(parse_open_port("8080")), " 8080 0");
    EXPECT_EQ(shown(parse_open_port("[::1]:8080")), "::1 8080 0");
    EXPECT_EQ(shown(parse_open_port("127.0.0.1:8080")), "127.0.0.1 8080 0");
}

TEST(VmPortsTest, OtherTextIsRefusedAndNamed)
{
    for (const auto* text : {"", ":", "80:", ":80", "65536:80", "80:65536", "-1:80", "80:0", "0", "80 ", "http:80",
                             "a:b:c:d", "[::1:80", "::1:8080:80", "8080:80\n"}) {
        EXPECT_THAT(refusal_of([&] { parse_forward(text); }), ::testing::HasSubstr("such as 8080:80")) << text;
    }
    for (const auto* text : {"", "x", "1.2.3.4:", ":80:80"}) {
        EXPECT_NE(refusal_of([&] { parse_open_port(text); }), "none") << text;
    }
}

}  // namespace
}  // namespace banger::cli
