// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/output.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace banger::cli {
namespace {

TEST(OutputTest, ANameInARemarkWritesNoLineOfItsOwn)
{
    testing::internal::CaptureStderr();
    remark("left out: a\nbanger: too old\x1b[2J, neither a file nor a link");
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "left out: a\\x0abanger: too old\\x1b[2J, neither a file nor a link\n");
}

TEST(OutputTest, AComplaintMayHaveSeveralLines)
{
    testing::internal::CaptureStderr();
    complain("it failed:\n  first\n  second\x9b");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "banger: it failed:\n  first\n  second\\x9b\n");
}

TEST(OutputTest, JsonIsAsciiAloneWhereItIsShown)
{
    const JsonValue value{{"program", "caf\u00e9\u009b2J"}};
    testing::internal::CaptureStdout();
    print_json(value);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\n  \"program\": \"caf\u00e9\u009b2J\"\n}\n");
    ::setenv(shown_variable, "1", 1);
    testing::internal::CaptureStdout();
    print_json(value);
    ::unsetenv(shown_variable);
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\n  \"program\": \"caf\\u00e9\\u009b2J\"\n}\n");
}

}  // namespace
}  // namespace banger::cli
