// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/mounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

namespace fs = std::filesystem;

TEST(MountsTest, AKernelFileSystemIsMountedOnceAndItsFolderMade)
{
    const agent::test::TemporaryFolder folder;
    const auto run = folder.path / "run";
    pass_in_namespaces(CLONE_NEWNS, [&] {
        mount_kernel_fs("tmpfs", run.string(), 0, "mode=0750");
        EXPECT_EQ(fs::status(run).permissions(), fs::perms{0750});
        std::ofstream{run / "mark"} << "x";
        mount_kernel_fs("tmpfs", run.string(), 0);
        EXPECT_TRUE(fs::exists(run / "mark"));
    });
}

TEST(MountsTest, AFileSystemThatTheKernelHasNotIsAFailure)
{
    const agent::test::TemporaryFolder folder;
    pass_in_namespaces(CLONE_NEWNS,
                       [&] { EXPECT_THROW(mount_kernel_fs("no-such-fs", (folder.path / "x").string(), 0), Error); });
}

TEST(MountsTest, WhatIsNoDiskIsNamedAsDamaged)
{
    const agent::test::TemporaryFolder folder;
    pass_in_namespaces(CLONE_NEWNS, [&] {
        try {
            mount_disk("/dev/null", folder.path.string(), true);
            ADD_FAILURE() << "it was mounted";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData);
            EXPECT_THAT(error.what(), testing::HasSubstr("The disk /dev/null can't be mounted"));
        }
    });
}

}  // namespace
}  // namespace banger::guest::test
