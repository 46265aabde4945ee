// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/identity.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

namespace fs = std::filesystem;

class IdentityTest : public ::testing::Test {
protected:
    void put(const std::string& path, const std::string& content) const { image.write(path, content); }

    agent::test::TemporaryFolder folder;
    Rooted image{contained(folder.path.string())};
};

TEST_F(IdentityTest, WhatNoTwoMachinesMayShareIsTakenOut)
{
    put("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    put("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n");
    put("/etc/ssh/ssh_host_ed25519_key", "secret");
    put("/etc/ssh/ssh_host_ed25519_key.pub", "public");
    put("/etc/ssh/ssh_host_rsa_key", "secret");
    put("/etc/ssh/sshd_config", "kept");
    put("/etc/ssh/ssh_host_keys_are_here", "kept");
    put("/var/lib/systemd/random-seed", "seed");
    put("/var/lib/systemd/credential.secret", "secret");
    put("/var/lib/systemd/timers", "kept");
    reset_identity(image);
    EXPECT_EQ(image.read("/etc/machine-id"), "");
    for (const auto* gone :
         {"/var/lib/dbus/machine-id", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub",
          "/etc/ssh/ssh_host_rsa_key", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret"}) {
        EXPECT_FALSE(image.exists(gone)) << gone;
    }
    for (const auto* kept : {"/etc/ssh/sshd_config", "/etc/ssh/ssh_host_keys_are_here", "/var/lib/systemd/timers"}) {
        EXPECT_EQ(image.read(kept), "kept") << kept;
    }
}

TEST_F(IdentityTest, AnImageWithoutAnyStaysAsItIs)
{
    reset_identity(image);
    EXPECT_TRUE(fs::is_empty(folder.path));
    put("/etc/machine-id", "uninitialized\n");
    reset_identity(image);
    EXPECT_EQ(image.read("/etc/machine-id"), "uninitialized\n") << "systemd's own word for it";
}

TEST_F(IdentityTest, LinksLeadNowhereElse)
{
    const agent::test::TemporaryFolder outside;
    std::filesystem::create_directories(outside.path / "ssh");
    const Rooted other{outside.path.string()};
    other.write("/ssh/ssh_host_rsa_key", "the host's");
    other.write("/machine-id", "the host's");
    fs::create_directories(folder.path / "etc");
    fs::create_directory_symlink(outside.path / "ssh", folder.path / "etc/ssh");
    fs::create_symlink(outside.path / "machine-id", folder.path / "etc/machine-id");
    reset_identity(image);
    EXPECT_EQ(other.read("/ssh/ssh_host_rsa_key"), "the host's");
    EXPECT_EQ(other.read("/machine-id"), "the host's");
}

}  // namespace
}  // namespace banger::guest::test
