// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/work_folder.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

TEST(WorkFolder, IsItsOwnAndGoesWithItsObject)
{
    const ScratchFolder scratch;
    {
        const WorkFolder one{scratch / "work"};
        const WorkFolder other{scratch / "work"};
        EXPECT_NE(one / "x", other / "x");
        write_file(one / "x", "1");
        EXPECT_FALSE(fs::exists(other / "x"));
        EXPECT_EQ(mode_of(one / ""), 0700U);
    }
    EXPECT_TRUE(fs::is_empty(scratch / "work"));
}

TEST(WorkFolder, OneThatAKilledProcessLeftIsTakenAwayByTheNext)
{
    const ScratchFolder scratch;
    const pid_t child = ::fork();
    if (child == 0) {
        const WorkFolder left{scratch / "work"};
        write_file(left / "large", "x");
        ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    ASSERT_FALSE(fs::is_empty(scratch / "work"));
    {
        const WorkFolder next{scratch / "work"};
    }
    EXPECT_TRUE(fs::is_empty(scratch / "work"));
}

}  // namespace
}  // namespace banger::cli
