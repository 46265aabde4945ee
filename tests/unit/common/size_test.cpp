// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/size.hpp"

#include <gtest/gtest.h>

#include <random>

#include "common/error.hpp"

namespace banger {
namespace {

TEST(ByteSizeTest, UnitsArePowersOf1024HoweverTheyAreSpelt)
{
    EXPECT_EQ(ByteSize::parse("17").bytes(), 17U);
    EXPECT_EQ(ByteSize::parse("17B").bytes(), 17U);
    for (const auto* text : {"16G", "16g", "16GB", "16Gi", "16GiB", "16gib", "16.0G", "16384M", "16777216K"}) {
        EXPECT_EQ(ByteSize::parse(text), 16 * gib) << text;
    }
    EXPECT_EQ(ByteSize::parse("1T"), 1024 * gib);
    EXPECT_EQ(ByteSize::parse("1.5K").bytes(), 1536U);
}

TEST(ByteSizeTest, ABareNumberCountsWhatTheCallerSays)
{
    EXPECT_EQ(ByteSize::parse("2048", mib), 2 * gib);
    EXPECT_EQ(ByteSize::parse("2G", mib), 2 * gib);
}

TEST(ByteSizeTest, RefusesWhatIsNoSize)
{
    for (const auto* text :
         {"",         "0",   "0G",  "-1",  "-1G",  "16Q",  "G", "1.2.3G",        "1e9",
          "1 G",      " 1G", "1G ", "1GG", "0x10", "1,5G", ".", "0.0000000001K", "99999999999999999999G",
          "8388608T", "inf", "nan"}) {
        EXPECT_THROW(ByteSize::parse(text), Error) << text;
    }
}

TEST(ByteSizeTest, PrintsTheShortestForm)
{
    EXPECT_EQ((16 * gib).to_string(), "16G");
    EXPECT_EQ((512 * mib).to_string(), "512M");
    EXPECT_EQ((1536 * mib).to_string(), "1.5G");
    EXPECT_EQ(ByteSize{17}.to_string(), "17B");
    EXPECT_EQ(ByteSize{}.to_string(), "0B");
    EXPECT_EQ((2048 * gib).to_string(), "2T");
}

TEST(ByteSizeTest, ExactFormsReadBackAsWhatTheyWere)
{
    std::mt19937_64 dice{1};
    for (int i = 0; i < 1000; ++i) {
        const ByteSize size{((dice() % 1023) + 1) << (10U * (dice() % 4))};
        EXPECT_EQ(ByteSize::parse(size.to_string()), size);
    }
}

}  // namespace
}  // namespace banger
