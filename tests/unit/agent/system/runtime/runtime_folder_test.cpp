// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/runtime_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "agent/system/runtime/program_record.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

using test::sha256_of;

class RuntimeFolderTest : public ::testing::Test {
protected:
    /// A program as a fetch leaves it.
    std::filesystem::path put(const std::string& content)
    {
        const auto path = folder.path / "1.0/firecracker";
        std::filesystem::create_directories(path.parent_path());
        ::chmod(path.parent_path().c_str(), 0700);
        std::ofstream{path} << content;
        ::chmod(path.c_str(), 0755);
        struct stat status {};
        ::lstat(path.c_str(), &status);
        write_record(path, {.sha256 = sha256_of(content), .origin = "a test", .file = identity_of(status)});
        return path;
    }
    std::string refusal(const std::string& name = "firecracker")
    {
        try {
            runtime.find(name);
        } catch (const Error& error) {
            return error.what();
        }
        return "it was found";
    }

    test::TemporaryFolder folder;
    RuntimeBundle bundle{
        .version = "1.0",
        .programs = {{.name = "firecracker", .version = "1.0", .sha256 = sha256_of("good"), .sources = {}}}};
    RuntimeFolder runtime{folder.path, [this] { return bundle; }};
};

TEST_F(RuntimeFolderTest, AProgramThatIsNotThereNamesTheCommandThatGetsIt)
{
    EXPECT_THAT(refusal(), HasSubstr("1.0/firecracker is not there; `banger runtime fetch` gets it"));
    EXPECT_EQ(runtime.list().front().state, RuntimeState::Missing);
    EXPECT_THAT(refusal("qemu"), HasSubstr("no program \"qemu\""));
}

TEST_F(RuntimeFolderTest, ACheckedProgramIsFound)
{
    const auto path = put("good");
    EXPECT_EQ(runtime.find("firecracker"), path);
    EXPECT_EQ(runtime.list().front().origin, "a test");
}

TEST_F(RuntimeFolderTest, WhatOthersMayWriteIsNotFound)
{
    const auto path = put("good");
    for (const auto& shared :
         {folder.path, folder.path / "1.0", path, std::filesystem::path{path.string() + ".json"}}) {
        struct stat before {};
        ASSERT_EQ(::stat(shared.c_str(), &before), 0);
        for (const mode_t others_write : {0020U, 0002U}) {
            ASSERT_EQ(::chmod(shared.c_str(), (before.st_mode & 07777U) | others_write), 0);
            EXPECT_THAT(refusal(), HasSubstr(shared.string() + " must be yours")) << shared;
            EXPECT_EQ(runtime.list().front().state, RuntimeState::Damaged);
        }
        ASSERT_EQ(::chmod(shared.c_str(), before.st_mode & 07777U), 0);
    }
    EXPECT_EQ(refusal(), "it was found");
}

TEST_F(RuntimeFolderTest, WhatBelongsToAnotherUserIsNotFound)
{
    const auto path = put("good");
    constexpr uid_t nobody = 65534;
    if (::chown(path.c_str(), nobody, nobody) != 0) {
        GTEST_SKIP() << "only root may give a file away";
    }
    for (const auto& theirs :
         {path, std::filesystem::path{path.string() + ".json"}, folder.path / "1.0", folder.path}) {
        ASSERT_EQ(::chown(theirs.c_str(), nobody, nobody), 0);
        EXPECT_THAT(refusal(), HasSubstr(theirs.string() + " must be yours")) << theirs;
        ASSERT_EQ(::chown(theirs.c_str(), ::geteuid(), ::getegid()), 0);
    }
    EXPECT_EQ(refusal(), "it was found");
}

TEST_F(RuntimeFolderTest, AProgramThatChangedIsNotFound)
{
    const auto path = put("good");
    std::ofstream{path} << "evil";
    EXPECT_THAT(refusal(), HasSubstr("is not the file that was checked"));
    put("good");
    std::filesystem::copy_file(path, path.string() + ".copy");
    std::filesystem::rename(path.string() + ".copy", path);
    EXPECT_THAT(refusal(), HasSubstr("is not the file that was checked"));
    std::filesystem::remove(path);
    std::filesystem::create_symlink("/bin/true", path);
    EXPECT_THAT(refusal(), HasSubstr("is not the file that was checked"));
}

TEST_F(RuntimeFolderTest, AProgramWithoutAWholeRecordIsNotFound)
{
    const auto path = put("good");
    for (const auto* text : {"", "[]", "{}", R"({"sha256": 1})", R"({"sha256": "00", "origin": "", "size": -1})"}) {
        std::ofstream{path.string() + ".json"} << text;
        EXPECT_THAT(refusal(), HasSubstr("is not the file that was checked")) << text;
    }
    std::filesystem::remove(path.string() + ".json");
    std::filesystem::create_directory(path.string() + ".json");
    EXPECT_THAT(refusal(), HasSubstr("is not the file that was checked"));
}

TEST_F(RuntimeFolderTest, AProgramOfAnotherManifestIsNotFound)
{
    put("older");
    EXPECT_THAT(refusal(), HasSubstr("is another one than this banger's"));
}

TEST_F(RuntimeFolderTest, AProgramThatMayNotBeRunIsNotFound)
{
    ::chmod(put("good").c_str(), 0644);
    EXPECT_THAT(refusal(), HasSubstr("may not be run"));
}

}  // namespace
}  // namespace banger::agent
