// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace banger {
namespace {

TEST(ErrorTest, TheTableHasEachCodeAtItsOwnPlace)
{
    std::size_t index = 0;
    for (const auto& row : error_table()) {
        EXPECT_EQ(static_cast<std::size_t>(row.code), index++);
        EXPECT_EQ(&error_info(row.code), &row);
    }
}

TEST(ErrorTest, EachBusNameLeadsBackToItsCode)
{
    std::set<std::string_view> names;
    for (const auto& row : error_table()) {
        EXPECT_EQ(error_code_of(row.dbus_name), row.code);
        EXPECT_TRUE(row.dbus_name.starts_with("dev.banger.Error."));
        EXPECT_TRUE(names.insert(row.dbus_name).second);
    }
    EXPECT_EQ(error_code_of("org.freedesktop.DBus.Error.Failed"), std::nullopt);
    EXPECT_EQ(error_code_of(""), std::nullopt);
}

TEST(ErrorTest, ExitCodesAreThoseOfTheManual)
{
    EXPECT_EQ(error_info(ErrorCode::InvalidArgument).exit_code, 2);
    EXPECT_EQ(error_info(ErrorCode::NotFound).exit_code, 3);
    EXPECT_EQ(error_info(ErrorCode::HostLacks).exit_code, 4);
    EXPECT_EQ(error_info(ErrorCode::NotAuthorized).exit_code, 5);
    EXPECT_EQ(error_info(ErrorCode::WrongState).exit_code, 6);
    EXPECT_EQ(error_info(ErrorCode::AlreadyExists).exit_code, 6);
    EXPECT_EQ(error_info(ErrorCode::TimedOut).exit_code, 7);
    EXPECT_EQ(error_info(ErrorCode::NotRunnable).exit_code, 126);
    EXPECT_EQ(error_info(ErrorCode::CommandNotFound).exit_code, 127);
}

TEST(ErrorTest, AnErrnoBringsItsTextItsCauseAndWhereItWasSeen)
{
    const auto error = errno_error("can't open /x", EACCES);
    EXPECT_STREQ(error.what(), "can't open /x: Permission denied");
    EXPECT_EQ(error.code(), ErrorCode::Failed);
    ASSERT_TRUE(error.cause());
    EXPECT_EQ(error.cause()->value(), EACCES);
    EXPECT_NE(std::string{error.where().file_name()}.find("error_test.cpp"), std::string::npos);
}

TEST(ErrorTest, AFullDiskAndAMissingFileHaveCodesOfTheirOwn)
{
    EXPECT_EQ(errno_error("x", ENOSPC).code(), ErrorCode::NoSpace);
    EXPECT_EQ(errno_error("x", EDQUOT).code(), ErrorCode::NoSpace);
    EXPECT_EQ(errno_error("x", ENOENT).code(), ErrorCode::NotFound);
    EXPECT_EQ(errno_error("x", ENOENT, ErrorCode::HostLacks).code(), ErrorCode::HostLacks);
}

}  // namespace
}  // namespace banger
