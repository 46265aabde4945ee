// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/c_ptr.hpp"

#include <gtest/gtest.h>

namespace banger {
namespace {

int freed = 0;

void free_number(int* number)
{
    ++freed;
    delete number;
}

TEST(CPtrTest, FreesOnceAndNothingWhenEmpty)
{
    freed = 0;
    {
        const c_ptr<int, free_number> owner{new int{1}};
        const c_ptr<int, free_number> nothing;
    }
    EXPECT_EQ(freed, 1);
}

TEST(CPtrTest, IsAsLargeAsAPointer) { static_assert(sizeof(c_ptr<int, free_number>) == sizeof(int*)); }

}  // namespace
}  // namespace banger
