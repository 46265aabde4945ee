// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/context.hpp"

#include <gtest/gtest.h>

namespace banger::cli {
namespace {

TEST(ExitCodeOf, IsTheErrorsOwnForMostCommands)
{
    for (const auto& row : error_table()) {
        EXPECT_EQ(exit_code_of(Error{row.code, "x"}, ExitRule::OwnCodes), row.exit_code) << row.dbus_name;
    }
}

TEST(ExitCodeOf, Is125WhereTheCodeIsACommandsUnlessTheCommandCouldNotRun)
{
    for (const auto& row : error_table()) {
        const bool of_the_command = row.exit_code == 126 || row.exit_code == 127;
        EXPECT_EQ(exit_code_of(Error{row.code, "x"}, ExitRule::CommandCodes), of_the_command ? row.exit_code : 125)
            << row.dbus_name;
    }
}

TEST(UniqueNames, KeepsTheFirstOfEachInOrder)
{
    EXPECT_EQ(unique_names({"b", "a", "b", "c", "a"}), (std::vector<std::string>{"b", "a", "c"}));
}

TEST(Failures, ExitWithTheFirstOnesCode)
{
    Failures failures;
    EXPECT_EQ(failures.exit_code(), 0);
    testing::internal::CaptureStderr();
    failures.add(Error{ErrorCode::NotFound, "no a"});
    failures.add(Error{ErrorCode::WrongState, "b runs\x1b"});
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "banger: no a\nbanger: b runs\\x1b\n");
    EXPECT_EQ(failures.exit_code(), 3);
}

}  // namespace
}  // namespace banger::cli
