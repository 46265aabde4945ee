// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/ssh_host_keys.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::guest {
namespace {

namespace fs = std::filesystem;

class SshHostKeysTest : public testing::Test {
protected:
    void put(const std::string& name, const std::string& text = "x\n") const
    {
        std::ofstream{folder.path / name} << text;
    }
    std::string path() const { return folder.path.string(); }
    agent::test::TemporaryFolder folder;
};

class MakeSshHostKeysTest : public SshHostKeysTest {
protected:
    void SetUp() override
    {
        if (!fs::exists("/usr/bin/ssh-keygen")) {
            GTEST_SKIP() << "no /usr/bin/ssh-keygen here";
        }
    }
};

TEST_F(SshHostKeysTest, OnlyWholePairsCount)
{
    put("ssh_host_rsa_key.pub", "ssh-rsa B\nsecond line\n");
    put("ssh_host_rsa_key");
    put("ssh_host_ed25519_key.pub", "ssh-ed25519 A\n");
    put("ssh_host_ed25519_key");
    put("ssh_host_ecdsa_key.pub", "no private half");
    put("other_key.pub");
    put("other_key");
    EXPECT_EQ(ssh_host_keys(path()), (std::vector<std::string>{"ssh-ed25519 A", "ssh-rsa B"}));
    EXPECT_TRUE(ssh_host_keys(path() + "/none").empty());
}

TEST_F(SshHostKeysTest, AnImageWithAKeyKeepsIt)
{
    put("ssh_host_rsa_key.pub");
    put("ssh_host_rsa_key");
    make_ssh_host_keys(path());
    EXPECT_EQ(std::distance(fs::directory_iterator{path()}, {}), 2);
}

TEST_F(SshHostKeysTest, AGuestWithoutOpensshIsNotFound)
{
    try {
        make_ssh_host_keys(path() + "/none");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::NotFound);
    }
}

TEST_F(MakeSshHostKeysTest, APairIsMadeAndWhatACrashLeftRemoved)
{
    put(".banger_key", "half");
    put(".banger_key.pub", "half");
    put("ssh_host_ed25519_key.pub", "of a key that was never finished");
    make_ssh_host_keys(path());
    const auto keys = ssh_host_keys(path());
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_TRUE(keys[0].starts_with("ssh-ed25519 ")) << keys[0];
    EXPECT_EQ(fs::status(folder.path / "ssh_host_ed25519_key").permissions(), fs::perms{0600});
    EXPECT_FALSE(fs::exists(folder.path / ".banger_key"));
    EXPECT_FALSE(fs::exists(folder.path / ".banger_key.pub"));
}

TEST_F(MakeSshHostKeysTest, SeveralAtOnceMakeOne)
{
    std::vector<pid_t> children;
    for (int i = 0; i < 4; ++i) {
        children.push_back(::fork());
        if (children.back() == 0) {
            int code = 0;
            try {
                make_ssh_host_keys(path());
                code = ssh_host_keys(path()).size() == 1 ? 0 : 2;
            } catch (...) {
                code = 1;
            }
            ::_exit(code);
        }
    }
    for (const auto child : children) {
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(std::distance(fs::directory_iterator{path()}, {}), 2);
}

}  // namespace
}  // namespace banger::guest
