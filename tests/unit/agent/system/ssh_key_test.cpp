// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ssh_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

std::string content(const std::filesystem::path& file)
{
    std::ifstream stream{file};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

unsigned mode(const std::filesystem::path& file)
{
    struct stat status {};
    return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

class SshKeyTest : public ::testing::Test {
protected:
    std::filesystem::path half() const { return state.path / "ssh/id_ed25519.pub"; }
    std::size_t files() const
    {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{state.path / "ssh"}, {}));
    }

    test::TemporaryFolder state;
    SshKey key{state.path};
};

TEST_F(SshKeyTest, TheKeyIsForItsUserAlone)
{
    const auto file = key.private_key();
    EXPECT_EQ(file, state.path / "ssh/id_ed25519");
    EXPECT_EQ(mode(file), 0600U);
    EXPECT_EQ(mode(state.path / "ssh"), 0700U);
    EXPECT_THAT(key.public_key(), StartsWith("ssh-ed25519 AAAA"));
    EXPECT_THAT(key.public_key(), EndsWith(" banger"));
    EXPECT_EQ(files(), 2U);
}

TEST_F(SshKeyTest, ItIsMadeOnceAlsoForTheNextBangerdAndForTwoWhoAskAtOnce)
{
    std::string first;
    std::string second;
    std::thread other{[&] { first = key.public_key(); }};
    second = key.public_key();
    other.join();
    EXPECT_EQ(first, second);
    EXPECT_EQ(SshKey{state.path}.public_key(), first);
    EXPECT_EQ(files(), 2U);
}

TEST_F(SshKeyTest, APublicHalfThatWasLostIsMadeAgainForTheSameKey)
{
    const auto line = key.public_key();
    const auto secret = content(key.private_key());
    std::filesystem::remove(half());
    EXPECT_EQ(key.public_key(), line);
    EXPECT_EQ(content(key.private_key()), secret);
    EXPECT_EQ(files(), 2U);
}

TEST_F(SshKeyTest, APrivateHalfThatWasLostIsANewKey)
{
    const auto line = key.public_key();
    std::filesystem::remove(key.private_key());
    EXPECT_NE(key.public_key(), line);
    EXPECT_EQ(mode(key.private_key()), 0600U);
}

TEST_F(SshKeyTest, ADamagedKeyWithoutItsPublicHalfIsANewKey)
{
    const auto line = key.public_key();
    std::filesystem::remove(half());
    std::ofstream{state.path / "ssh/id_ed25519"} << "damaged";
    EXPECT_THAT(key.public_key(), StartsWith("ssh-ed25519 AAAA"));
    EXPECT_NE(key.public_key(), line);
    EXPECT_THAT(content(key.private_key()), StartsWith("-----BEGIN OPENSSH PRIVATE KEY-----"));
}

TEST_F(SshKeyTest, WhatAKilledSshKeygenLeftIsInNobodysWay)
{
    std::filesystem::create_directories(state.path / "ssh");
    std::ofstream{state.path / "ssh/id_ed25519.new"} << "half";
    EXPECT_THAT(key.public_key(), StartsWith("ssh-ed25519 AAAA"));
    EXPECT_EQ(files(), 2U);
}

TEST_F(SshKeyTest, AKeyThatTheUserNamesIsTakenAsItIs)
{
    const auto mine = state.path / "mine";
    std::filesystem::copy(key.private_key(), mine);
    std::filesystem::path named = mine;
    SshKey chosen{state.path, [&named] { return named; }};
    EXPECT_EQ(chosen.private_key(), mine);
    EXPECT_EQ(chosen.public_key(), key.public_key()) << "derived";
    EXPECT_FALSE(std::filesystem::exists(mine.string() + ".pub")) << "nothing is written beside a user's key";
    std::ofstream{mine.string() + ".pub"} << "ssh-ed25519 AAAA mine\n";
    EXPECT_EQ(chosen.public_key(), "ssh-ed25519 AAAA mine");
    named.clear();
    EXPECT_EQ(chosen.private_key(), state.path / "ssh/id_ed25519");
}

TEST_F(SshKeyTest, ANamedKeyThatIsNotThereOrIsNoneSaysSo)
{
    std::filesystem::path named = state.path / "none";
    SshKey chosen{state.path, [&named] { return named; }};
    const auto sentence = [&chosen] {
        try {
            return chosen.public_key();
        } catch (const Error& error) {
            return std::string{error.what()};
        }
    };
    EXPECT_THAT(sentence(), StartsWith("ssh_key_path, " + named.string()));
    std::ofstream{named} << "damaged";
    EXPECT_THAT(sentence(), StartsWith("ssh_key_path, " + named.string() + ", is no private key"));
    EXPECT_FALSE(std::filesystem::exists(state.path / "ssh")) << "no other key is made in its place";
}

}  // namespace
}  // namespace banger::agent
