// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/history.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace banger::cli::tui {
namespace {

History history_of(std::initializer_list<std::optional<double>> values)
{
    History history;
    for (const auto& value : values) {
        history.add(value);
    }
    return history;
}

TEST(Sparkline, HasABarAColumnTheNewestLast)
{
    EXPECT_EQ(sparkline(history_of({0, 50, 100}), 100, 3, Charset::Utf8), "▁▄█");
    EXPECT_EQ(sparkline(history_of({0, 50, 100}), 100, 3, Charset::Ascii), "_-#");
    EXPECT_EQ(sparkline(history_of({0, 50, 100}), 100, 2, Charset::Utf8), "▄█");
    EXPECT_EQ(sparkline(history_of({100}), 100, 3, Charset::Utf8), "  █");
    EXPECT_EQ(sparkline(history_of({}), 100, 3, Charset::Utf8), "   ");
    EXPECT_EQ(sparkline(history_of({1}), 100, 0, Charset::Utf8), "");
}

TEST(Sparkline, HasAGapWhereNothingIsKnown)
{
    EXPECT_EQ(sparkline(history_of({100, std::nullopt, 100}), 100, 3, Charset::Utf8), "█ █");
}

TEST(Sparkline, StaysWithinItsColumnsWhateverItIsGiven)
{
    const auto strange = history_of({-5, 1e300, std::nan(""), INFINITY, -INFINITY});
    EXPECT_EQ(sparkline(strange, 100, 5, Charset::Ascii), "_#_#_");
    EXPECT_EQ(sparkline(strange, 0, 5, Charset::Ascii), "_____");
}

TEST(History, ForgetsWhatIsOld)
{
    History history;
    for (int number = 0; number < 1000; ++number) {
        history.add(number);
    }
    EXPECT_EQ(history.values().size(), History::most);
    EXPECT_EQ(history.last(), 999);
    EXPECT_EQ(history.top(1), 999);
    EXPECT_EQ(history.top(5000), 5000);
}

}  // namespace
}  // namespace banger::cli::tui
