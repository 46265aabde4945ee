// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/user_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class UserFileTest : public ::testing::Test {
protected:
    void write(const std::string& text, mode_t mode = 0644) const
    {
        std::ofstream{path, std::ios::binary} << text;
        ::chmod(path.c_str(), mode);
    }
    std::string text() const
    {
        std::ifstream stream{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    std::size_t files() const
    {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder.path}, {}));
    }
    template <typename Work>
    static ErrorCode code_of(Work&& work)
    {
        try {
            work();
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    }

    agent::test::TemporaryFolder folder;
    fs::path path{folder.path / "config"};
};

TEST_F(UserFileTest, OneThatIsNotThereIsEmptyAndMadeForItsUserAlone)
{
    const auto file = read_user_file(path);
    EXPECT_FALSE(file.exists);
    EXPECT_EQ(file.text, "");
    replace_user_file(file, "new\n");
    EXPECT_EQ(text(), "new\n");
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(files(), 1U);
}

TEST_F(UserFileTest, ItsModeStays)
{
    write("old", 0640);
    replace_user_file(read_user_file(path), std::string{"n\0w\r\n", 5});
    EXPECT_EQ(text(), (std::string{"n\0w\r\n", 5}));
    EXPECT_EQ(static_cast<unsigned>(fs::status(path).permissions()), 0640U);
}

TEST_F(UserFileTest, ALinkStaysAndWhatItLeadsToIsReplaced)
{
    fs::create_directory(folder.path / "dotfiles");
    std::ofstream{folder.path / "dotfiles/ssh"} << "old";
    fs::create_symlink("dotfiles/ssh", path);
    const auto file = read_user_file(path);
    EXPECT_TRUE(file.is_link);
    replace_user_file(file, "new");
    EXPECT_TRUE(fs::is_symlink(path));
    EXPECT_EQ(text(), "new");
    fs::remove(folder.path / "dotfiles/ssh");
    EXPECT_EQ(code_of([&] { read_user_file(path); }), ErrorCode::NotFound);
}

TEST_F(UserFileTest, AReadOnlyOneIsLeftAsItIs)
{
    write("old", 0444);
    const auto file = read_user_file(path);
    try {
        replace_user_file(file, "new");
        ADD_FAILURE() << "it was replaced";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotAuthorized);
        EXPECT_THAT(error.what(), HasSubstr("chmod u+w " + path.string()));
    }
    EXPECT_EQ(text(), "old");
    EXPECT_EQ(files(), 1U);
}

TEST_F(UserFileTest, OneThatSomebodyElseChangesMeanwhileIsLeftToHim)
{
    write("old");
    const auto file = read_user_file(path);
    fs::remove(path);
    write("theirs");
    EXPECT_EQ(code_of([&] { replace_user_file(file, "new"); }), ErrorCode::InUse);
    EXPECT_EQ(text(), "theirs");
    const auto gone = read_user_file(path);
    fs::remove(path);
    EXPECT_EQ(code_of([&] { replace_user_file(gone, "new"); }), ErrorCode::InUse);
    EXPECT_EQ(files(), 0U);
}

TEST_F(UserFileTest, WhereNoMoreCanBeWrittenTheOldBytesAreThere)
{
    write("old");
    const auto file = read_user_file(path);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    rlimit small = before;
    small.rlim_cur = 4096;
    ::setrlimit(RLIMIT_FSIZE, &small);
    const auto code = code_of([&] { replace_user_file(file, std::string(8192, 'x')); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(code, ErrorCode::Failed);
    EXPECT_EQ(text(), "old");
    EXPECT_EQ(files(), 1U) << "no half file beside it";
}

TEST_F(UserFileTest, WhatIsNoFileIsRefused)
{
    fs::create_directory(path);
    EXPECT_EQ(code_of([&] { read_user_file(path); }), ErrorCode::InvalidArgument);
    fs::remove(path);
    ::mkfifo(path.c_str(), 0600);
    EXPECT_EQ(code_of([&] { read_user_file(path); }), ErrorCode::InvalidArgument) << "and nobody waits for its writer";
}

}  // namespace
}  // namespace banger::cli
