// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/listing.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

class ListingTest : public testing::Test {
protected:
    ListingTest()
    {
        listing.add({"calm-otter", "1G"}, {"calm-otter", 1U << 30U, "tab\there"});
        listing.add({"x", "2G"}, {"x", 2U << 30U, ""});
    }
    std::string printed(const ListingOptions& options)
    {
        testing::internal::CaptureStdout();
        listing.print(options);
        return testing::internal::GetCapturedStdout();
    }

    Listing listing{{{"name", "NAME"}, {"bytes", "SIZE", Align::Right}, {"reason", ""}}};
};

TEST_F(ListingTest, IsATableByDefault)
{
    EXPECT_EQ(printed({}), "NAME        SIZE\ncalm-otter    1G\nx             2G\n");
}

TEST_F(ListingTest, HasAllFieldsInJson)
{
    const auto rows = JsonValue::parse(printed({.json = true}));
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0]["bytes"], 1U << 30U);
    EXPECT_EQ(rows[0]["reason"], "tab\there");
}

TEST_F(ListingTest, IsOneLineARowInThePlainFormWhateverARowSays)
{
    EXPECT_EQ(printed({.format = "plain"}), "calm-otter\t1073741824\ttab\\x09here\nx\t2147483648\t\n");
}

TEST_F(ListingTest, GivesNamesAloneWhenQuiet) { EXPECT_EQ(printed({.quiet = true}), "calm-otter\nx\n"); }

TEST(EmptyListing, IsAnEmptyArrayInJson)
{
    testing::internal::CaptureStdout();
    Listing{{{"name", "NAME"}}}.print({.json = true});
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "[]\n");
}

TEST(PrintDetails, IsAnObjectForOneThingAndAnArrayForMore)
{
    const auto objects = JsonValue::array({JsonValue{{"name", "a"}}});
    testing::internal::CaptureStdout();
    print_details(objects, {.json = true}, 1);
    EXPECT_TRUE(JsonValue::parse(testing::internal::GetCapturedStdout()).is_object());
    testing::internal::CaptureStdout();
    print_details(objects, {.json = true}, 2);
    EXPECT_TRUE(JsonValue::parse(testing::internal::GetCapturedStdout()).is_array());
}

TEST(PrintDetails, ShowsSizesAndAnswersForPeople)
{
    testing::internal::CaptureStdout();
    print_details(JsonValue::array(
                      {JsonValue{{"disk_bytes", 1U << 30U}, {"ready", true}, {"users", {"a", "b"}}, {"reason", ""}}}),
                  {}, 1);
    EXPECT_EQ(testing::internal::GetCapturedStdout(),
              "disk_bytes  1G\nready       yes\nusers       a, b\nreason      -\n");
}

TEST(PrintDetails, SaysWhereThereIsNoLimit)
{
    testing::internal::CaptureStdout();
    print_details(JsonValue::array({JsonValue{{"disk_iops", 0U}, {"disk_rate", 0U}, {"network_rate", 5U << 20U}}}), {},
                  1);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "disk_iops     none\ndisk_rate     none\nnetwork_rate  5M\n");
}

TEST(ToJson, KeepsTheTypesOfTheBus)
{
    EXPECT_EQ(to_json(sdbus::Variant{std::string{"x"}}), "x");
    EXPECT_EQ(to_json(sdbus::Variant{std::uint32_t{7}}), 7);
    EXPECT_EQ(to_json(sdbus::Variant{std::uint64_t{1} << 40U}), std::uint64_t{1} << 40U);
    EXPECT_EQ(to_json(sdbus::Variant{std::int64_t{-1}}), -1);
    EXPECT_EQ(to_json(sdbus::Variant{true}), true);
    EXPECT_EQ(to_json(sdbus::Variant{std::vector<std::string>{"a"}}), JsonValue::array({"a"}));
}

}  // namespace
}  // namespace banger::cli
