// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/copy/archive.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

class PackListTest : public testing::Test {
protected:
    PackListTest()
    {
        fs::create_directories(scratch / "src/sub/deep");
        fs::create_directory(scratch / "out");
        fs::create_directory(scratch / "outside");
        write_file(scratch / "outside/secret", "secret");
    }

    void there_and_back(const std::vector<FileList>& lists) const
    {
        {
            const UniqueFd file{::open((scratch / "tar").c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600)};
            pack_lists(file.get(), lists, [](std::size_t) {});
        }
        const UniqueFd file{::open((scratch / "tar").c_str(), O_RDONLY | O_CLOEXEC)};
        unpack(file.get(), scratch / "out", {}, Owners::Archive, [](std::size_t) {});
    }
    FileList list(std::vector<std::string> names) const { return {scratch / "src", std::move(names), "in/here/"}; }

    ScratchFolder scratch;
};

TEST_F(PackListTest, TakesWhatIsNamedAndNothingElse)
{
    write_file(scratch / "src/sub/deep/a", "1");
    write_file(scratch / "src/b", "2");
    fs::permissions(scratch / "src/b", fs::perms{0751});
    fs::create_symlink("../outside", scratch / "src/link");
    there_and_back({list({"sub/deep/a", "link"}), {scratch / "src", {"b"}, ""}});
    EXPECT_EQ(read_file(scratch / "out/in/here/sub/deep/a"), "1");
    EXPECT_EQ(fs::read_symlink(scratch / "out/in/here/link"), "../outside");
    EXPECT_FALSE(fs::exists(scratch / "out/in/here/b"));
    EXPECT_EQ(mode_of(scratch / "out/b"), 0751U);
    EXPECT_EQ(mode_of(scratch / "out/in/here/sub"), 0755U);
}

TEST_F(PackListTest, NeverGoesThroughALink)
{
    fs::create_directory_symlink(scratch / "outside", scratch / "src/way");
    there_and_back({list({"way/secret", "../outside/secret"})});
    EXPECT_FALSE(fs::exists(scratch / "out/in/here/way"));
    EXPECT_FALSE(fs::exists(scratch / "out/in/outside"));
}

TEST_F(PackListTest, WhatIsGoneOrSomethingElseIsLeftOut)
{
    ASSERT_EQ(::mkfifo((scratch / "src/pipe").c_str(), 0600), 0);
    write_file(scratch / "src/a", "1");
    there_and_back({list({"gone", "pipe", "sub", "a"})});
    EXPECT_EQ(read_file(scratch / "out/in/here/a"), "1");
    EXPECT_FALSE(fs::exists(scratch / "out/in/here/pipe"));
}

TEST_F(PackListTest, AnUnreadableFileIsAnError)
{
    if (::geteuid() == 0) {
        GTEST_SKIP() << "root reads everything";
    }
    write_file(scratch / "src/locked", "1");
    fs::permissions(scratch / "src/locked", fs::perms::none);
    EXPECT_THROW(there_and_back({list({"locked"})}), Error);
}

}  // namespace
}  // namespace banger::cli
