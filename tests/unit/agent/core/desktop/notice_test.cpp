// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/notice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace banger::agent::test {
namespace {

TEST(NoticeTest, MarkupIsEscaped)
{
    EXPECT_EQ(escape_markup("<b>a & b</b>"), "&lt;b&gt;a &amp; b&lt;/b&gt;");
    EXPECT_EQ(escape_markup("&lt;"), "&amp;lt;");
    EXPECT_EQ(escape_markup(""), "");
}

TEST(NoticeTest, ALineOfOthersIsPrintableAndCut)
{
    EXPECT_EQ(notice_line("a\x1b[2Jb\nc\xff"), "a?[2Jb?c?");
    const auto cut = notice_line(std::string(100'000, 'x'));
    EXPECT_LT(cut.size(), 300U);
    EXPECT_TRUE(cut.ends_with("..."));
    EXPECT_EQ(notice_line("short"), "short");
}

TEST(NoticeTest, EachActionHasAWordAndALabelOfItsOwn)
{
    using enum NoticeAction;
    std::set<std::string_view> words;
    std::set<std::string_view> labels;
    for (const auto action : {OpenShell, ShowLog, Start, NewSandbox, OpenTui}) {
        words.insert(to_string(action));
        labels.insert(label_of(action));
    }
    EXPECT_EQ(words.size(), 5U);
    EXPECT_EQ(labels.size(), 5U);
}

}  // namespace
}  // namespace banger::agent::test
