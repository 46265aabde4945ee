// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/accounts.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::guest {
namespace {

class AccountsTest : public testing::Test {
protected:
    AccountsTest()
    {
        passwd(
            "root:x:0:0:root:/root:/bin/bash\n"
            "anna:x:1000:1001:Anna,,,:/home/anna:/bin/zsh\n"
            "bare:x:1002:1002:::\n"
            "1234:x:77:77::/home/number:/bin/sh\n");
        group(
            "root:x:0:\n"
            "anna:x:1001:\n"
            "sudo:x:27:bert,anna\n"
            "hanna:x:28:hanna\n"
            "docker:x:999:anna\n");
    }
    void passwd(const std::string& text) const { std::ofstream{folder.path / "passwd"} << text; }
    void group(const std::string& text) const { std::ofstream{folder.path / "group"} << text; }
    Account find(std::string_view spec) const { return find_account(spec, folder.path.string()); }
    void expect_unknown(std::string_view spec) const
    {
        try {
            const auto account = find(spec);
            ADD_FAILURE() << spec << " is uid " << account.uid;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::NotFound);
        }
    }
    agent::test::TemporaryFolder folder;
};

TEST_F(AccountsTest, AnEmptyUserIsRoot)
{
    for (const char* spec : {"", "root", "0"}) {
        const auto account = find(spec);
        EXPECT_EQ(account.name, "root");
        EXPECT_EQ(account.uid, 0U);
        EXPECT_EQ(account.home, "/root");
        EXPECT_EQ(account.shell, "/bin/bash");
    }
}

TEST_F(AccountsTest, ANameHasItsGroups)
{
    const auto account = find("anna");
    EXPECT_EQ(account.uid, 1000U);
    EXPECT_EQ(account.gid, 1001U);
    EXPECT_EQ(account.groups, (std::vector<gid_t>{1001, 27, 999}));
    EXPECT_EQ(account.home, "/home/anna");
    EXPECT_EQ(account.shell, "/bin/zsh");
}

TEST_F(AccountsTest, ANumberIsTheAccountThatHasIt)
{
    EXPECT_EQ(find("1000").name, "anna");
    EXPECT_EQ(find("1000").groups.size(), 3U);
}

TEST_F(AccountsTest, AGroupThatIsGivenIsTheOnlyOne)
{
    const auto account = find("1000:27");
    EXPECT_EQ(account.name, "anna");
    EXPECT_EQ(account.gid, 27U);
    EXPECT_EQ(account.groups, std::vector<gid_t>{27});
}

TEST_F(AccountsTest, UserAndGroupMayBothBeNames)
{
    for (const char* spec : {"anna:docker", "anna:999", "1000:docker"}) {
        const auto account = find(spec);
        EXPECT_EQ(account.uid, 1000U) << spec;
        EXPECT_EQ(account.gid, 999U) << spec;
        EXPECT_EQ(account.groups, std::vector<gid_t>{999}) << spec;
        EXPECT_EQ(account.home, "/home/anna") << spec;
    }
    EXPECT_EQ(find("5000:sudo").gid, 27U);
}

TEST_F(AccountsTest, ANumberNeedsNoEntry)
{
    const auto account = find("5000");
    EXPECT_EQ(account.name, "5000");
    EXPECT_EQ(account.uid, 5000U);
    EXPECT_EQ(account.gid, 0U) << "as docker has it";
    EXPECT_EQ(account.groups, std::vector<gid_t>{0});
    EXPECT_EQ(account.home, "/");
    EXPECT_EQ(account.shell, "/bin/sh");
}

TEST_F(AccountsTest, ANumberIsNeverLookedUpAsAName) { EXPECT_EQ(find("1234").uid, 1234U); }

TEST_F(AccountsTest, EmptyFieldsHaveTheirDefaults)
{
    EXPECT_EQ(find("bare").home, "/");
    EXPECT_EQ(find("bare").shell, "/bin/sh");
}

TEST_F(AccountsTest, WhatIsNobodyIsNotFound)
{
    for (const char* spec : {"nobody-here", "ann", "anna ", "anna:", "anna:nobody", "1000:", "1000:anna2", ":27",
                             "anna:x:1001", "anna:sudo:27", "-1", "+0", " 0", "0x0", "4294967296", "1:4294967296"}) {
        expect_unknown(spec);
    }
}

TEST_F(AccountsTest, DamagedLinesArePassedOver)
{
    passwd(
        "\n:::\nanna\nanna:x:0\n"
        "anna:x:-1:0::/:\nanna:x:0x0:0::/:\nanna:x::0::/:\nanna:x:4294967296:0::/:\nanna:x:0 :0::/:\n"
        "+anna:x:0:0::/:\n# anna:x:0:0::/:\n"
        "anna:x:1000:1000::/home/anna:/bin/sh");  // no newline at the end
    group("\nsudo\nsudo:x:y:anna\nsudo:x:27:annabel,,anna2\nlast:x:28:bert,anna");
    EXPECT_EQ(find("anna").uid, 1000U);
    EXPECT_EQ(find("anna").groups, (std::vector<gid_t>{1000, 28}));
}

TEST_F(AccountsTest, ThePrimaryGroupIsNotNamedTwice)
{
    group("anna:x:1001:anna\n");
    EXPECT_EQ(find("anna").groups, std::vector<gid_t>{1001});
}

TEST_F(AccountsTest, AnImageWithoutThemStillHasRootAndNumbers)
{
    std::filesystem::remove(folder.path / "passwd");
    std::filesystem::remove(folder.path / "group");
    EXPECT_EQ(find("").name, "root");
    EXPECT_EQ(find("").home, "/root");
    EXPECT_EQ(find("7").uid, 7U);
    expect_unknown("anna");
}

}  // namespace
}  // namespace banger::guest
