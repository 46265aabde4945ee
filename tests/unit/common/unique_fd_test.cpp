// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace banger {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

int open_null() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(UniqueFdTest, ClosesWhatItOwns)
{
    int number = -1;
    {
        const UniqueFd fd{open_null()};
        number = fd.get();
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFdTest, MovingEmptiesTheSource)
{
    UniqueFd first{open_null()};
    const int number = first.get();
    UniqueFd second{std::move(first)};
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what this looks at
    EXPECT_EQ(second.get(), number);
    second = UniqueFd{open_null()};
    EXPECT_TRUE(second);
}

TEST(UniqueFdTest, ReleaseLeavesItOpen)
{
    UniqueFd fd{open_null()};
    const UniqueFd kept{fd.release()};
    EXPECT_FALSE(fd);
    EXPECT_TRUE(is_open(kept.get()));
}

TEST(UniqueFdTest, ResetClosesTheOldOne)
{
    UniqueFd fd{open_null()};
    const int old = fd.get();
    fd.reset();
    EXPECT_FALSE(is_open(old));
    EXPECT_FALSE(fd);
}

}  // namespace
}  // namespace banger
