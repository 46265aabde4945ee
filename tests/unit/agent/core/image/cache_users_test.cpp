// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/cache_users.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Digest debian = Digest::parse(std::string(64, 'a'));
const Digest other = Digest::parse(std::string(64, 'b'));

class CacheUsersTest : public ::testing::Test {
protected:
    CacheUsersTest()
    {
        fs::create_directories(first_state);
        fs::create_directories(second_state);
    }

    test::TemporaryFolder folder;
    fs::path users{folder.path / "cache/users"};
    fs::path first_state{folder.path / "first/banger"};
    fs::path second_state{folder.path / "second/banger"};
    CacheUsers first{users, "aaaaaaaaaaaa", first_state};
    CacheUsers second{users, "bbbbbbbbbbbb", second_state};
};

TEST_F(CacheUsersTest, EachSeesWhatTheOthersUseAndNotItself)
{
    EXPECT_THAT(second.others_of(debian), IsEmpty()) << "there is no folder yet";
    first.write({debian.str()});
    EXPECT_THAT(second.others_of(debian), ElementsAre(first_state.string()));
    EXPECT_THAT(second.others_of(other), IsEmpty());
    EXPECT_THAT(first.others_of(debian), IsEmpty());
    first.write({});
    EXPECT_THAT(second.others_of(debian), IsEmpty());
    EXPECT_TRUE(fs::is_empty(users)) << "who uses nothing leaves nothing";
}

TEST_F(CacheUsersTest, ADeletedStateFolderUsesNothingAndOneThatIsNotMountedDoes)
{
    first.write({debian.str()});
    const auto file = users / "aaaaaaaaaaaa.json";
    std::ifstream stream{file};
    auto json = nlohmann::json::parse(stream);
    fs::remove_all(first_state.parent_path());
    json["device"] = json["device"].get<std::uint64_t>() + 1;  // as if another file system were to be mounted there
    std::ofstream{file} << json;
    EXPECT_THAT(second.others_of(debian), ElementsAre(first_state.string()));
    json["device"] = json["device"].get<std::uint64_t>() - 1;
    std::ofstream{file} << json;
    EXPECT_THAT(second.others_of(debian), IsEmpty());
    EXPECT_FALSE(fs::exists(file));
}

TEST_F(CacheUsersTest, WhatCannotBeReadMayUseAnything)
{
    first.write({debian.str()});
    std::ofstream{users / "aaaaaaaaaaaa.json"} << "{";
    EXPECT_THAT(second.others_of(other), ElementsAre(HasSubstr("aaaaaaaaaaaa.json")));
}

TEST_F(CacheUsersTest, WithoutAnOwnerNothingIsWritten)
{
    CacheUsers{users, "", first_state}.write({debian.str()});
    EXPECT_FALSE(fs::exists(users));
}

}  // namespace
}  // namespace banger::agent
