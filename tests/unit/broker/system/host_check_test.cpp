// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/host_check.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::broker {
namespace {

using ::testing::HasSubstr;

class HostCheckTest : public ::testing::Test {
protected:
    HostFinding with(const std::string& text) const
    {
        std::ofstream{folder.path / "nsswitch.conf"} << text;
        return finding_of_host_names(Resolved::Absent, folder.path / "nsswitch.conf");
    }

    agent::test::TemporaryFolder folder;
};

TEST_F(HostCheckTest, NamesAreFoundWithoutSystemdResolved)
{
    EXPECT_TRUE(with("passwd: files\nhosts:  files banger dns # VMs\n").works);
    EXPECT_THAT(with("hosts: files\tbanger\n").detail, HasSubstr("libnss_banger"));
}

TEST_F(HostCheckTest, NamesThatNobodyFindsAreToldWithWhatMendsIt)
{
    for (const auto* text : {"", "hosts: files dns # banger\n", "networks: banger\n", "hosts: files bangers\n"}) {
        const auto finding = with(text);
        EXPECT_FALSE(finding.works) << text;
        EXPECT_THAT(finding.detail, HasSubstr("put it behind files there"));
    }
    EXPECT_FALSE(finding_of_host_names(Resolved::Absent, folder.path / "none").works);
}

TEST_F(HostCheckTest, SystemdResolvedWillDoAlone)
{
    EXPECT_TRUE(finding_of_host_names(Resolved::There, folder.path / "none").works);
}

}  // namespace
}  // namespace banger::broker
