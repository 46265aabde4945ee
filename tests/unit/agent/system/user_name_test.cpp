// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/user_name.hpp"

#include <gtest/gtest.h>

namespace banger::agent {
namespace {

TEST(UserNameTest, IsTheDatabasesAndEmptyForANumberOfNobodys)
{
    constexpr uid_t nobodys = 2'147'400'001;
    EXPECT_EQ(user_name_of(0), "root");
    EXPECT_EQ(user_name_of(nobodys), "");
}

}  // namespace
}  // namespace banger::agent
