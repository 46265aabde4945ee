// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/hostname.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/utsname.h>

#include <filesystem>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

std::string node_name()
{
    utsname names{};
    ::uname(&names);
    return names.nodename;
}

TEST(HostnameTest, TheLineOfHostsIsReplacedOrAdded)
{
    EXPECT_EQ(hosts_with_name("127.0.0.1\tlocalhost\n127.0.1.1\told old.lan\n::1 localhost\n", "new"),
              "127.0.0.1\tlocalhost\n127.0.1.1\tnew\n::1 localhost\n");
    EXPECT_EQ(hosts_with_name("127.0.0.1 localhost", "new"), "127.0.0.1 localhost\n127.0.1.1\tnew\n");
    EXPECT_EQ(hosts_with_name("127.0.1.1 a\n127.0.1.1 b\n", "new"), "127.0.1.1\tnew\n");
}

TEST(HostnameTest, AddressesThatOnlyBeginLikeOursStay)
{
    EXPECT_EQ(hosts_with_name("127.0.1.10 other\n127.0.1.1\told\n127.0.1.123\tthird\n", "new"),
              "127.0.1.10 other\n127.0.1.1\tnew\n127.0.1.123\tthird\n");
}

TEST(HostnameTest, DoingItTwiceIsTheSameAsOnce)
{
    const auto once = hosts_with_name("", "new");
    EXPECT_EQ(hosts_with_name(once, "new"), once);
}

TEST(HostnameTest, KernelAndImageHaveTheName)
{
    const agent::test::TemporaryFolder folder;
    const auto image = contained(folder.path.string());
    pass_in_namespaces(CLONE_NEWUTS, [&] {
        image.write("/etc/hosts", "10.0.0.1 db\n");
        set_hostname("calm-otter", image);
        EXPECT_EQ(node_name(), "calm-otter");
        EXPECT_EQ(image.read("/etc/hostname"), "calm-otter\n");
        EXPECT_EQ(image.read("/etc/hosts"), "10.0.0.1 db\n127.0.1.1\tcalm-otter\n");
    });
}

TEST(HostnameTest, AnImageWithoutHostsGetsLocalhostToo)
{
    const agent::test::TemporaryFolder folder;
    const auto image = contained(folder.path.string());
    pass_in_namespaces(CLONE_NEWUTS, [&] {
        set_hostname("x", image);
        EXPECT_EQ(image.read("/etc/hosts"), "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\tx\n");
    });
}

TEST(HostnameTest, AnEmptyNameChangesNothing)
{
    const agent::test::TemporaryFolder folder;
    const auto before = node_name();
    set_hostname("", contained(folder.path.string()));
    EXPECT_EQ(node_name(), before);
    EXPECT_FALSE(std::filesystem::exists(folder.path / "etc"));
}

TEST(HostnameTest, ANameThatTheKernelRefusesIsAFailure)
{
    const agent::test::TemporaryFolder folder;
    const auto image = contained(folder.path.string());
    pass_in_namespaces(CLONE_NEWUTS, [&] {
        EXPECT_THROW(set_hostname(std::string(65, 'x'), image), Error);
        EXPECT_FALSE(image.exists("/etc/hostname"));
    });
}

}  // namespace
}  // namespace banger::guest::test
