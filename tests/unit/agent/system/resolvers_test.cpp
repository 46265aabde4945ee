// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/resolvers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Resolvers, AreTheNameserversOfAResolvConf)
{
    EXPECT_THAT(parse_resolvers("# a comment\nsearch example.org\nnameserver 192.0.2.1\n nameserver\t192.0.2.2 # two\n"
                                "options ndots:1\n"),
                ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST(Resolvers, LeaveOutWhatAGuestCantReach)
{
    EXPECT_THAT(parse_resolvers("nameserver 127.0.0.53\nnameserver 127.0.0.1\nnameserver ::1\nnameserver 2001:db8::1\n"
                                "nameserver 0.0.0.0\nnameserver\nnameserver fe80::1%eth0\nnameserver 1.2.3\n"),
                IsEmpty());
}

TEST(Resolvers, AreThreeAtMost)
{
    EXPECT_EQ(parse_resolvers("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4")
                  .size(),
              3U);
}

TEST(Resolvers, OfAHostWithAStubAreThoseBehindIt)
{
    const test::TemporaryFolder root;
    EXPECT_THAT(host_resolvers(root.path), IsEmpty());
    std::filesystem::create_directories(root.path / "etc");
    std::filesystem::create_directories(root.path / "run/systemd/resolve");
    std::ofstream{root.path / "run/systemd/resolve/resolv.conf"} << "nameserver 192.0.2.9\n";
    std::ofstream{root.path / "etc/resolv.conf"} << "nameserver 127.0.0.53\n";
    EXPECT_THAT(host_resolvers(root.path), ElementsAre("192.0.2.9"));
    std::ofstream{root.path / "etc/resolv.conf"} << "nameserver 192.0.2.1\n";
    EXPECT_THAT(host_resolvers(root.path), ElementsAre("192.0.2.1"));
}

}  // namespace
}  // namespace banger::agent
