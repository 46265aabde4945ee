// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/table.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

Table sample()
{
    Table table{{{"NAME"}, {"SIZE", Align::Right}, {"DETAIL"}}};
    table.add({"calm-otter", "1G", "runs"});
    table.add({"x", "512M", "a detail that is rather long for a narrow terminal"});
    return table;
}

TEST(Table, AlignsItsColumns)
{
    EXPECT_EQ(sample().to_string(0),
              "NAME        SIZE  DETAIL\n"
              "calm-otter    1G  runs\n"
              "x           512M  a detail that is rather long for a narrow terminal\n");
}

TEST(Table, CutsItsWidestTextWhereTheTerminalIsNarrow)
{
    EXPECT_EQ(sample().to_string(40),
              "NAME        SIZE  DETAIL\n"
              "calm-otter    1G  runs\n"
              "x           512M  a detail that is rath…\n");
}

TEST(Table, KeepsTheNameWholeInAVeryNarrowTerminal)
{
    EXPECT_NE(sample().to_string(5).find("calm-otter    1G"), std::string::npos);
}

TEST(Table, CountsCharactersNotBytes)
{
    Table table{{{"N"}, {"B"}}};
    table.add({"ää", "x"});
    table.add({"abc", "y"});
    EXPECT_EQ(table.to_string(0), "N    B\nää   x\nabc  y\n");
}

TEST(Table, EscapesItsCells)
{
    Table table{{{"N"}}};
    table.add({"\x1b[2J"});
    EXPECT_EQ(table.to_string(0), "N\n\\x1b[2J\n");
}

TEST(Table, ShowsTitlesWithoutRows) { EXPECT_EQ(Table({{"NAME"}, {"STATE"}}).to_string(80), "NAME  STATE\n"); }

}  // namespace
}  // namespace banger::cli
