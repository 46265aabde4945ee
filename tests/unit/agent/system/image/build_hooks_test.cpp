// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/build_hooks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class BuildHooksTest : public ::testing::Test {
protected:
    std::string text_of(const std::filesystem::path& file) const
    {
        const auto bytes = test::read_whole(file);
        return {bytes.begin(), bytes.end()};
    }
    void expect_script(const std::filesystem::path& hook) const
    {
        struct stat status {};
        ASSERT_EQ(::stat(hook.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 07777U, 0755U);
        EXPECT_TRUE(run_program({.argv = {"/bin/sh", "-n", hook.string()}}).ok()) << "a shell can read it";
    }

    test::TemporaryFolder folder;
};

TEST_F(BuildHooksTest, TheInstallHookHasThePackagesAsItsWords)
{
    const auto hook = write_install_hook(folder.path, {"jq", "g++"});
    expect_script(hook);
    EXPECT_THAT(text_of(hook), HasSubstr("--yes install jq g++\n"));
}

TEST_F(BuildHooksTest, TheCustomizeHookRunsACopyOfTheScriptThatNobodyChangesMeanwhile)
{
    const auto script = folder.path / "mine";
    test::write_file(script, test::file_bytes("#!/bin/sh\nexit 0\n"));
    std::filesystem::create_directory(folder.path / "scratch");
    const auto hook = write_customize_hook(folder.path / "scratch", script);
    expect_script(hook);
    std::filesystem::remove(script);
    EXPECT_EQ(text_of(folder.path / "scratch/customize-script"), "#!/bin/sh\nexit 0\n");
    EXPECT_THROW(write_customize_hook(folder.path / "scratch", script), Error) << "it is gone";
}

TEST_F(BuildHooksTest, WhatTheScriptSaidIsToldFromWhatTheBuildSaid)
{
    CustomizeWatch watch;
    watch.see("I: installing...");
    EXPECT_FALSE(watch.runs());
    watch.see("banger: the customise script begins");
    EXPECT_TRUE(watch.runs());
    for (int i = 1; i <= 12; ++i) {
        watch.see("line " + std::to_string(i));
    }
    watch.see("banger: the customise script ended with 3");
    EXPECT_FALSE(watch.runs());
    watch.see("E: setup failed");
    ASSERT_TRUE(watch.failure());
    EXPECT_THAT(*watch.failure(), HasSubstr("exit code 3, and it said:\nline 3\n"));
    EXPECT_THAT(*watch.failure(), HasSubstr("line 12"));
    EXPECT_THAT(*watch.failure(), Not(HasSubstr("line 2\n")));
    EXPECT_THAT(*watch.failure(), Not(HasSubstr("setup failed")));
}

TEST_F(BuildHooksTest, AScriptThatWentWellOrNeverRanIsNoFailure)
{
    CustomizeWatch watch;
    EXPECT_FALSE(watch.failure());
    watch.see("banger: the customise script begins");
    watch.see("banger: the customise script ended with 0");
    EXPECT_FALSE(watch.failure());
}

}  // namespace
}  // namespace banger::agent
