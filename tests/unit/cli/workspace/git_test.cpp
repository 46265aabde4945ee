// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/git.hpp"

#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::cli {
namespace {

TEST(Git, QuotesAnyPathSoThatItIsOneLine)
{
    EXPECT_EQ(c_quoted("a b"), "\"a b\"");
    EXPECT_EQ(c_quoted("n\nl\\\"\xff"), R"("n\012l\\\"\377")");
    for (const std::string path : {"plain", "n\nl", "\xff\xfe\x01", "\\\"", ""}) {
        EXPECT_EQ(c_unquoted(c_quoted(path)), path);
    }
}

TEST(Git, UnquotesNothingThatIsNotQuoted)
{
    for (const char* text : {"", "\"", "a", "\"a", R"("\9")", R"("\01")", R"("\x")"}) {
        EXPECT_EQ(c_unquoted(text), std::nullopt) << text;
    }
}

TEST(Git, SplitsAtNulAndKeepsNewlines)
{
    EXPECT_EQ(split_at_nul(std::string_view{"a\nb\0c\0", 6}), (std::vector<std::string>{"a\nb", "c"}));
    EXPECT_TRUE(split_at_nul("").empty());
}

TEST(Git, GivesInputAndTakesOutput)
{
    const Git git{"/"};
    EXPECT_EQ(git.run({"hash-object", "--stdin"}, "x\n").value(), "587be6b4c3f93f93c489c0111bba5596147a26cb");
    const auto refused = git.try_run({"no-such-command"});
    EXPECT_FALSE(refused.ok());
    EXPECT_NE(refused.complaint().find("no-such-command"), std::string::npos);
    EXPECT_EQ(refused.complaint().find('\n'), std::string::npos);
    EXPECT_THROW(git.run({"no-such-command"}), Error);
}

TEST(Git, TheLastVariableAndTheLastSettingOfANameCount)
{
    const auto git =
        Git{"/"}.with("GIT_AUTHOR_NAME", "one").with("GIT_AUTHOR_NAME", "two").with("GIT_AUTHOR_EMAIL", "x");
    EXPECT_TRUE(git.run({"var", "GIT_AUTHOR_IDENT"}).output.starts_with("two <x>"));
    EXPECT_EQ(git.set("a.b", "one").set("a.b", "two").setting("a.b"), "two");
}

TEST(Git, ApartKnowsNobodysSettings)
{
    ::setenv("GIT_CONFIG_COUNT", "1", 1);
    ::setenv("GIT_CONFIG_KEY_0", "user.name", 1);
    ::setenv("GIT_CONFIG_VALUE_0", "somebody", 1);
    EXPECT_EQ(Git::apart("/", "/no/such").setting("user.name"), std::nullopt);
    EXPECT_EQ(Git::apart("/", "/no/such").set("user.name", "set").setting("user.name"), "set");
    ::unsetenv("GIT_CONFIG_COUNT");
}

}  // namespace
}  // namespace banger::cli
