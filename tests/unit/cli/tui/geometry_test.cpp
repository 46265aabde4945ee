// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/geometry.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace banger::cli::tui {
namespace {

Geometry geometry_at(std::size_t rows, std::size_t columns, bool detail_is_whole = false)
{
    Model model;
    model.size = {rows, columns};
    model.detail_is_whole = detail_is_whole;
    return geometry_of(model);
}

TEST(Geometry, AllOfAUsualTerminalIsUsed)
{
    const auto geometry = geometry_at(24, 80);
    EXPECT_TRUE(geometry.has_panes && geometry.has_titles);
    EXPECT_EQ(geometry.list.row, 2U);
    EXPECT_EQ(geometry.list_rows, 12U);
    ASSERT_TRUE(geometry.detail);
    EXPECT_EQ(geometry.detail->place.row, 14U);
    EXPECT_EQ(geometry.detail->size.rows, 9U);
    EXPECT_EQ(geometry.last_row, 23U);
}

TEST(Geometry, AVeryWideTerminalHasTheDetailBeside)
{
    const auto geometry = geometry_at(50, 240);
    ASSERT_TRUE(geometry.detail);
    EXPECT_TRUE(geometry.detail_is_beside);
    EXPECT_EQ(geometry.list_columns + 1 + geometry.detail->size.columns, 240U);
    EXPECT_EQ(geometry.list_rows, 47U);
}

TEST(Geometry, ASmallTerminalHasAtLeastTheList)
{
    const auto small = geometry_at(10, 40);
    EXPECT_FALSE(small.detail);
    EXPECT_EQ(small.list_rows, 7U);
    EXPECT_EQ(geometry_at(3, 20).list_rows, 2U);
    EXPECT_EQ(geometry_at(1, 20).list_rows, 1U);
    EXPECT_EQ(geometry_at(0, 0).list_rows, 0U);
}

TEST(Geometry, NothingIsEverBelowTheScreen)
{
    for (std::size_t rows = 0; rows < 60; ++rows) {
        for (const std::size_t columns : {0U, 1U, 39U, 80U, 139U, 140U, 500U}) {
            for (const bool is_whole : {false, true}) {
                const auto geometry = geometry_at(rows, columns, is_whole);
                const auto end = geometry.last_row.value_or(rows);
                EXPECT_LE(geometry.list.row + geometry.list_rows, end) << rows << "x" << columns;
                if (geometry.detail) {
                    EXPECT_LE(geometry.detail->place.row + geometry.detail->size.rows, end);
                    EXPECT_LE(geometry.detail->place.column + geometry.detail->size.columns, columns);
                }
            }
        }
    }
}

std::size_t width_of_all(const std::vector<VmColumn>& columns)
{
    return std::accumulate(columns.begin(), columns.end(), columns.size() - 1,
                           [](std::size_t sum, const VmColumn& column) { return sum + column.width; });
}

bool has(const std::vector<VmColumn>& columns, VmField field)
{
    return std::any_of(columns.begin(), columns.end(),
                       [field](const VmColumn& column) { return column.field == field; });
}

TEST(VmColumns, FitWhateverTheWidth)
{
    for (std::size_t width = 0; width < 400; ++width) {
        for (const std::size_t longest : {0U, 5U, 16U, 63U}) {
            const auto columns = vm_columns(width, longest);
            EXPECT_LE(width_of_all(columns), width) << width;
            EXPECT_EQ(columns.front().field, VmField::Name);
        }
    }
}

TEST(VmColumns, TheMostTellingOnesComeFirst)
{
    const auto narrow = vm_columns(40, 12);
    EXPECT_TRUE(has(narrow, VmField::State) && has(narrow, VmField::Cpu) && has(narrow, VmField::Memory));
    EXPECT_FALSE(has(narrow, VmField::Image));
    const auto usual = vm_columns(80, 12);
    EXPECT_TRUE(has(usual, VmField::Disk) && has(usual, VmField::Image));
    for (const auto& column : usual) {
        if (column.field == VmField::Cpu || column.field == VmField::Memory || column.field == VmField::Disk) {
            EXPECT_GT(column.width, number_width(column.field) + 1) << "a sparkline";
        }
    }
    const auto wide = vm_columns(200, 12);
    EXPECT_TRUE(has(wide, VmField::Storage) && has(wide, VmField::Address) && has(wide, VmField::Up));
}

TEST(VmColumns, ALongNameGetsWhatIsLeft)
{
    EXPECT_EQ(vm_columns(200, 40).front().width, 40U);
    EXPECT_EQ(width_of_all(vm_columns(20, 40)), 20U);
}

}  // namespace
}  // namespace banger::cli::tui
