// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/file_system.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

TEST(FileSystemTest, WhatIsHereIsLocalAndWhatIsNotThereCountsAsLocal)
{
    const test::TemporaryFolder folder;
    EXPECT_EQ(place_of(folder.path), FilePlace::Local);
    EXPECT_EQ(place_of(folder.path / "none"), FilePlace::Local);
}

TEST(FileSystemTest, AFolderThatIsNotThereIsTold)
{
    EXPECT_EQ(finding_of_state_folder("/nowhere").verdict, "warn");
    EXPECT_THAT(finding_of_state_folder("/nowhere").detail, HasSubstr("/nowhere"));
}

TEST(FileSystemTest, LittleRoomAndNoWritingAreTold)
{
    constexpr std::size_t bytes = 1U << 20U;
    const auto code = test::on_small_disk(bytes, [](const std::filesystem::path& disk) {
        const auto little = finding_of_state_folder(disk);
        if (little.verdict != "warn" || little.detail.find(" free: guests stop") == std::string::npos) {
            return 1;
        }
        if (::mount(nullptr, disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) < 0) {
            return 2;
        }
        const auto read_only = finding_of_state_folder(disk);
        return read_only.verdict == "missing" && read_only.detail.find("read-only") != std::string::npos ? 0 : 3;
    });
    if (!code) {
        GTEST_SKIP() << "no mount namespace here";
    }
    EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace banger::agent
