// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/names_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

std::string text_of(const std::filesystem::path& path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

mode_t mode_of(const std::filesystem::path& path)
{
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
}

class NamesFileTest : public ::testing::Test {
protected:
    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "banger/names/bangerd"};
    NamesFile names{file};
};

TEST_F(NamesFileTest, IsWrittenForItsOwnerAlone)
{
    names.tell({{"web", "10.77.0.2"}, {"calm-otter", "10.77.0.6"}});
    EXPECT_EQ(text_of(file), "# banger names 1\n10.77.0.2 web.vm\n10.77.0.6 calm-otter.vm\n");
    EXPECT_EQ(mode_of(file), 0600U);
    EXPECT_EQ(mode_of(file.parent_path()), 0700U);
    names.tell({{"web", "10.77.0.10"}});
    EXPECT_EQ(text_of(file), "# banger names 1\n10.77.0.10 web.vm\n");
}

TEST_F(NamesFileTest, IsReplacedAndNotWrittenOver)
{
    names.tell({{"web", "10.77.0.2"}});
    std::ifstream before{file};
    names.tell({{"other", "10.77.0.6"}});
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>{before}, {}}), "# banger names 1\n10.77.0.2 web.vm\n")
        << "who reads has the one or the other, whole";
}

TEST_F(NamesFileTest, IsRemovedWhenThereAreNoNames)
{
    names.tell({});
    EXPECT_FALSE(std::filesystem::exists(file.parent_path())) << "nothing is made for nothing";
    names.tell({{"web", "10.77.0.2"}});
    names.tell({});
    EXPECT_TRUE(std::filesystem::is_empty(file.parent_path()));
}

TEST_F(NamesFileTest, WhatCantBeWrittenIsAnErrorThatNamesIt)
{
    std::ofstream{folder.path / "banger"} << "a file";
    try {
        names.tell({{"web", "10.77.0.2"}});
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string{error.what()}.find(file.parent_path().string()), std::string::npos) << error.what();
    }
}

TEST_F(NamesFileTest, AUserWithoutARuntimeFolderHasNone)
{
    NamesFile none{{}};
    EXPECT_NO_THROW(none.tell({{"web", "10.77.0.2"}}));
}

}  // namespace
}  // namespace banger::agent
