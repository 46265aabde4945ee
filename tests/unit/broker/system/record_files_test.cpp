// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/record_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace banger::broker {
namespace {

class RecordFilesTest : public ::testing::Test {
public:
    void put(const std::string& name, const std::string& text) const { std::ofstream{folder.path / name} << text; }

    agent::test::TemporaryFolder folder;
    RecordFiles records{folder.path};
    SandboxKey web{SandboxKey::parse("1000-web")};
};

TEST_F(RecordFilesTest, WhatIsSavedIsLoadedByAnotherBroker)
{
    records.save(web, "one");
    records.save(web, "two");
    records.save(SandboxKey::parse("1000-db"), std::string(100000, 'x'));
    const auto entries = RecordFiles{folder.path}.load();
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].name, "1000-db.toml");
    EXPECT_EQ(entries[0].text, std::string(100000, 'x'));
    EXPECT_EQ(entries[1].text, "two");
    struct stat status {};
    ASSERT_EQ(::stat((folder.path / "1000-web.toml").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(RecordFilesTest, RemovingTwiceIsNoError)
{
    records.save(web, "one");
    records.remove(web);
    records.remove(web);
    EXPECT_TRUE(records.load().empty());
}

TEST_F(RecordFilesTest, AHalfWrittenOneOfAKilledBrokerIsNotSeenAndGoes)
{
    records.save(web, "whole");
    put("1000-web.toml.new", "ha");
    EXPECT_EQ(records.load().size(), 1U);
    RecordFiles{folder.path};
    EXPECT_FALSE(std::filesystem::exists(folder.path / "1000-web.toml.new"));
    records.save(web, "again");
    EXPECT_EQ(records.load()[0].text, "again");
}

TEST_F(RecordFilesTest, ALinkIsNotFollowed)
{
    put("secret", "secret");
    std::filesystem::create_symlink(folder.path / "secret", folder.path / "1000-web.toml");
    EXPECT_THROW(records.load(), Error);
}

TEST(RecordFilesOnAFullDisk, TheOldTextStays)
{
    const auto code = agent::test::on_small_disk(1U << 18U, [](const std::filesystem::path& disk) {
        RecordFiles records{disk / "records"};
        const auto web = SandboxKey::parse("1000-web");
        records.save(web, "old");
        try {
            records.save(web, std::string(1U << 20U, 'x'));
            return 1;
        } catch (const Error& failure) {
            const auto entries = records.load();
            const bool is_clean = entries.size() == 1 && entries[0].text == "old" &&
                                  !std::filesystem::exists(disk / "records/1000-web.toml.new");
            return failure.code() == ErrorCode::NoSpace && is_clean ? 0 : 2;
        }
    });
    if (!code) {
        GTEST_SKIP() << "no user namespace with a tmpfs here";
    }
    EXPECT_EQ(*code, 0);
}

}  // namespace
}  // namespace banger::broker
