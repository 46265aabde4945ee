// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/rollback.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace banger {
namespace {

TEST(RollbackTest, UndoesInReverse)
{
    std::string done;
    {
        Rollback rollback;
        rollback.add([&] { done += "1"; });
        rollback.add([&] { done += "2"; });
    }
    EXPECT_EQ(done, "21");
}

TEST(RollbackTest, ACommittedOneUndoesNothing)
{
    std::string done;
    {
        Rollback rollback;
        rollback.add([&] { done += "1"; });
        rollback.commit();
    }
    EXPECT_EQ(done, "");
}

TEST(RollbackTest, AStepThatThrowsStopsNoOther)
{
    std::string done;
    {
        Rollback rollback;
        rollback.add([&] { done += "1"; });
        rollback.add([] { throw std::runtime_error{"no"}; });
    }
    EXPECT_EQ(done, "1");
}

}  // namespace
}  // namespace banger
