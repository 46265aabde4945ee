// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_program.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "agent/system/tap_support.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ProgramProblemsTest : public test::LoopTest {
protected:
    /// Writes a line each time that it runs, then does as `answer` says: another one changes nothing of the program's own file.
    std::filesystem::path script()
    {
        const auto path = folder.path / "program";
        std::ofstream{path} << "#!/bin/sh\necho >>" << folder.path.string() << "/runs\n. " << folder.path.string()
                            << "/answer\n";
        ::chmod(path.c_str(), 0755);
        return path;
    }
    void answer(const std::string& shell) { std::ofstream{folder.path / "answer"} << shell << "\n"; }
    int runs()
    {
        std::ifstream file{folder.path / "runs"};
        return static_cast<int>(std::count(std::istreambuf_iterator<char>{file}, {}, '\n'));
    }
    template <typename Asked>
    std::string problem(Asked& asked)
    {
        const auto said = run(asked.problem());
        EXPECT_TRUE(said->value) << said->error->what();
        return said->value.value_or("");
    }

    test::TemporaryFolder folder;
    Lane lane{1};
    FirecrackerProgram firecracker{loop, lane, [path = script()] { return path; }};
    TapSupport tap{loop, lane, folder.path / "program"};
};

TEST_F(ProgramProblemsTest, AFirecrackerThatFailedOnceIsAskedAgain)
{
    for (const auto* failure : {"kill -9 $$", "exit 1", "echo no version"}) {
        answer(failure);
        EXPECT_THAT(problem(firecracker), HasSubstr("is no Firecracker")) << failure;
    }
    answer("echo Firecracker v1.12.1");
    EXPECT_THAT(problem(firecracker), IsEmpty());
    EXPECT_EQ(runs(), 4);
}

TEST_F(ProgramProblemsTest, AFirecrackerThatFitsOrIsTooOldIsAskedOnce)
{
    answer("echo Firecracker v1.0.0");
    EXPECT_THAT(problem(firecracker), HasSubstr("too old"));
    EXPECT_THAT(problem(firecracker), HasSubstr("too old"));
    EXPECT_EQ(runs(), 1);
    answer("echo Firecracker v1.12.1");
    ::chmod((folder.path / "program").c_str(), 0700);  // another file, by its ctime
    EXPECT_THAT(problem(firecracker), IsEmpty());
    EXPECT_THAT(problem(firecracker), IsEmpty());
    EXPECT_EQ(runs(), 2);
}

TEST_F(ProgramProblemsTest, ATapThatFailedOnceIsAskedAgainAndOneThatWorkedIsNot)
{
    answer("echo no memory; exit 1");
    EXPECT_EQ(problem(tap), "Firecracker can have no network here: no memory");
    answer("exit 0");
    EXPECT_THAT(problem(tap), IsEmpty());
    EXPECT_THAT(problem(tap), IsEmpty());
    EXPECT_EQ(runs(), 2);
}

}  // namespace
}  // namespace banger::agent
