// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/hosts_file.hpp"

#include <gtest/gtest.h>

#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

const wire::HostEntry otter{"10.213.0.2", "otter.vm"};
const wire::HostEntry heron{"10.213.0.6", "heron.vm"};

TEST(HostsFileTest, OurBlockIsReplacedAndLinesOfOthersStay)
{
    const std::string theirs = "127.0.0.1\tlocalhost\n# mine\n10.0.0.1 db\n";
    const auto both = with_hosts(theirs, {otter, heron});
    EXPECT_TRUE(both.starts_with(theirs));
    EXPECT_NE(both.find("\n10.213.0.2\totter.vm\n10.213.0.6\theron.vm\n"), std::string::npos);
    const auto one = with_hosts(both + "10.0.0.2 later\n", {heron});
    EXPECT_EQ(one.find("otter"), std::string::npos);
    EXPECT_NE(one.find("heron.vm"), std::string::npos);
    EXPECT_NE(one.find("10.0.0.2 later"), std::string::npos);
    EXPECT_EQ(with_hosts(both, {}), theirs);
}

TEST(HostsFileTest, TheFileIsWrittenWhereItChanges)
{
    const agent::test::TemporaryFolder folder;
    const auto image = contained(folder.path.string());
    set_hosts(image, {});
    EXPECT_FALSE(image.exists("/etc/hosts")) << "nothing to write";
    set_hosts(image, {otter});
    EXPECT_NE(image.read("/etc/hosts").value_or("").find("10.213.0.2\totter.vm"), std::string::npos);
    set_hosts(image, {});
    EXPECT_EQ(image.read("/etc/hosts"), "");
}

}  // namespace
}  // namespace banger::guest::test
