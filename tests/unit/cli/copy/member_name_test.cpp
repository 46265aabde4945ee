// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy/member_name.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

TEST(PlaceMember, ExchangesTheFirstComponent)
{
    const Renaming renaming{"src", "dst"};
    EXPECT_EQ(place_member("src", renaming), "dst");
    EXPECT_EQ(place_member("src/", renaming), "dst");
    EXPECT_EQ(place_member("src/a/b", renaming), "dst/a/b");
    EXPECT_EQ(place_member("./src//a/./b", renaming), "dst/a/b");
}

TEST(PlaceMember, MayTakeTheFirstComponentAwayOrAddOne)
{
    EXPECT_EQ(place_member("src", {"src", ""}), ".");
    EXPECT_EQ(place_member("src/a", {"src", ""}), "a");
    EXPECT_EQ(place_member("./a", {"", "dst"}), "dst/a");
    EXPECT_EQ(place_member(".", {"", "dst"}), "dst");
    EXPECT_EQ(place_member(".", {"", ""}), ".");
}

TEST(PlaceMember, RefusesWhatLeadsElsewhere)
{
    const Renaming renaming{"src", "dst"};
    for (const auto* name :
         {"", "/", "/etc/passwd", "..", "src/..", "src/../../x", "../src/x", "other", "srcx/a", ".", "src/a/.."}) {
        EXPECT_EQ(place_member(name, renaming), std::nullopt) << name;
    }
    EXPECT_EQ(place_member(std::string_view{"src/a\0b", 7}, renaming), std::nullopt);
    EXPECT_EQ(place_member("../x", {"", ""}), std::nullopt);
    EXPECT_EQ(place_member("/x", {"", ""}), std::nullopt);
}

TEST(PlaceMember, KeepsNamesThatOnlyLookOdd)
{
    EXPECT_EQ(place_member("src/...", {"src", "dst"}), "dst/...");
    EXPECT_EQ(place_member("src/..a/\xff\n", {"src", "dst"}), "dst/..a/\xff\n");
}

}  // namespace
}  // namespace banger::cli
