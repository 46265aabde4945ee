// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/sheet.hpp"

#include <gtest/gtest.h>

#include "cli/tui/vm_rows.hpp"

namespace banger::cli::tui {
namespace {

VmRow row_of(const std::string& id, const std::string& name)
{
    VmRow row;
    row.id = id;
    row.name = name;
    row.state = "stopped";
    return row;
}

std::string names_in(Sheet<VmRow>& sheet)
{
    std::string names;
    for (const auto* row : sheet.shown()) {
        names += row->name + " ";
    }
    return names;
}

Sheet<VmRow> three()
{
    Sheet<VmRow> sheet{before(VmOrder::Name)};
    sheet.replace({row_of("3", "calm"), row_of("1", "amber"), row_of("2", "brave")});
    return sheet;
}

TEST(Passes, WantsEachWordInAnyCase)
{
    EXPECT_TRUE(passes("calm-otter running debian", ""));
    EXPECT_TRUE(passes("calm-otter running debian", "OTTER deb"));
    EXPECT_TRUE(passes("calm-otter running debian", "  run "));
    EXPECT_FALSE(passes("calm-otter running debian", "otter stopped"));
}

TEST(Sheet, ListsInOrderWhatPassesTheFilter)
{
    auto sheet = three();
    EXPECT_EQ(names_in(sheet), "amber brave calm ");
    sheet.set_filter("a b");
    EXPECT_EQ(names_in(sheet), "amber brave ");
    sheet.set_filter("nothing like this");
    EXPECT_EQ(sheet.chosen(), nullptr);
    sheet.set_filter("");
    EXPECT_EQ(names_in(sheet), "amber brave calm ");
}

TEST(Sheet, TheChoiceIsTheRowsAndNotThePlaces)
{
    auto sheet = three();
    sheet.choose(1);
    sheet.put(row_of("4", "aaa"));
    EXPECT_EQ(sheet.chosen()->name, "brave");
    EXPECT_EQ(sheet.chosen_place(), 2U);
    sheet.put(row_of("2", "zoo"));  // renamed, and so elsewhere
    EXPECT_EQ(sheet.chosen()->id, "2");
    EXPECT_EQ(sheet.chosen_place(), 3U);
}

TEST(Sheet, WhenTheChosenRowGoesTheOneInItsPlaceIsChosen)
{
    auto sheet = three();
    sheet.choose(1);
    sheet.erase("2");
    EXPECT_EQ(sheet.chosen()->name, "calm");
    sheet.erase("3");
    EXPECT_EQ(sheet.chosen()->name, "amber");
    sheet.erase("1");
    EXPECT_EQ(sheet.chosen(), nullptr);
    sheet.move(5);
    sheet.put(row_of("9", "new"));
    EXPECT_EQ(sheet.chosen()->name, "new");
}

TEST(Sheet, MovesWithinItsRows)
{
    auto sheet = three();
    sheet.move(-1);
    EXPECT_EQ(sheet.chosen_place(), 0U);
    sheet.move(100);
    EXPECT_EQ(sheet.chosen_place(), 2U);
    sheet.choose(77);
    EXPECT_EQ(sheet.chosen_place(), 2U);
}

TEST(Sheet, TheChosenRowIsAlwaysOnTheScreen)
{
    Sheet<VmRow> sheet{before(VmOrder::Name)};
    for (int number = 0; number < 1000; ++number) {
        const auto name = std::to_string(1000 + number);
        sheet.put(row_of(name, name));
    }
    for (const std::size_t place : {0U, 500U, 999U, 3U}) {
        sheet.choose(place);
        for (const std::size_t height : {1U, 7U, 24U, 2000U}) {
            const auto top = sheet.top(height);
            EXPECT_LE(top, place);
            EXPECT_LT(place, top + height);
            EXPECT_TRUE(top == 0 || top + height <= 1000) << "no empty rows below";
        }
    }
    EXPECT_LE(sheet.top(0), 3U) << "no screen at all";
}

}  // namespace
}  // namespace banger::cli::tui
