// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/canvas.hpp"

#include "tests/unit/cli/tui/utf8.hpp"

namespace banger::cli::tui {
namespace {

using CanvasTest = Utf8Test;

TEST_F(CanvasTest, WhatIsPutBeyondItsEdgesIsNotThere)
{
    Canvas canvas{{2, 5}, Charset::Utf8};
    EXPECT_EQ(canvas.put({0, 3}, "abc"), 2U);
    EXPECT_EQ(canvas.put({7, 0}, "abc"), 0U);
    EXPECT_EQ(canvas.put({0, 9}, "abc"), 0U);
    canvas.clear({1, 3}, {9, 9}, Ink::Chosen);
    canvas.tint({9, 9}, 9, Ink::Bad);
    EXPECT_EQ(canvas.text(), "   ab\n\n");
    EXPECT_EQ(canvas.at({1, 4}).ink, Ink::Chosen);
}

TEST_F(CanvasTest, HalfAWideCharacterIsNeverDrawn)
{
    Canvas canvas{{1, 6}, Charset::Utf8};
    EXPECT_EQ(canvas.put({0, 0}, "日本語日"), 6U);
    canvas.clear({0, 1}, {1, 2});
    EXPECT_EQ(canvas.row_text(0), "    語") << "a box over half of two characters";
}

TEST_F(CanvasTest, AControlCharacterIsNeverPut)
{
    Canvas canvas{{1, 8}, Charset::Utf8};
    canvas.put({0, 0}, "a\x1b[2Jb");
    EXPECT_EQ(canvas.row_text(0), "a?[2Jb");
}

TEST_F(CanvasTest, ABoxHasATitleAndAnInside)
{
    Canvas canvas{{4, 12}, Charset::Utf8};
    canvas.put({1, 0}, "xxxxxxxxxxxx");
    canvas.box({0, 1}, {3, 10}, "new");
    EXPECT_EQ(canvas.text(), " ┌─ new ──┐\nx│        │x\n └────────┘\n\n");
    Canvas plain{{3, 8}, Charset::Ascii};
    plain.box({0, 0}, {3, 8}, "");
    EXPECT_EQ(plain.text(), "+------+\n|      |\n+------+\n");
}

TEST_F(CanvasTest, AClickFindsWhatWasPutLastThere)
{
    Canvas canvas{{3, 10}, Charset::Utf8};
    canvas.add_spot({Spot::Kind::Row, {1, 0}, 10, 7});
    canvas.add_spot({Spot::Kind::Pane, {1, 2}, 3, 1});
    EXPECT_EQ(canvas.spot_at({1, 0})->index, 7U);
    EXPECT_EQ(canvas.spot_at({1, 4})->kind, Spot::Kind::Pane);
    EXPECT_EQ(canvas.spot_at({2, 4}), nullptr);
}

}  // namespace
}  // namespace banger::cli::tui
