// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/denial.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger {
namespace {

using ::testing::HasSubstr;

class DenialTest : public ::testing::Test {
protected:
    void put(const std::string& file, const std::string& text) const
    {
        std::filesystem::create_directories((root.path / file).parent_path());
        std::ofstream{root.path / file} << text << "\n";
    }

    agent::test::TemporaryFolder root;
    const std::string refusal{"can't open /x: Permission denied"};
};

TEST_F(DenialTest, WithoutAGuardASentenceStaysAsItIs)
{
    EXPECT_EQ(with_denial_hint(refusal, root.path), refusal);
    put("sys/module/apparmor/parameters/enabled", "N");
    put("sys/fs/selinux/enforce", "0");
    EXPECT_EQ(with_denial_hint(refusal, root.path), refusal);
    EXPECT_EQ(access_control_in_force(root.path), "");
}

TEST_F(DenialTest, TheGuardThatIsInForceIsNamedWithWhatShowsItsDenials)
{
    put("sys/module/apparmor/parameters/enabled", "Y");
    EXPECT_THAT(with_denial_hint(refusal, root.path), HasSubstr("AppArmor may be what denies it: journalctl -k"));
    EXPECT_EQ(access_control_in_force(root.path), "AppArmor");
    put("sys/fs/selinux/enforce", "1");
    EXPECT_THAT(with_denial_hint(refusal, root.path), HasSubstr("SELinux may be what denies it: ausearch"));
    EXPECT_EQ(access_control_in_force(root.path), "AppArmor, SELinux");
}

TEST_F(DenialTest, OtherFailuresAreNobodysDenial)
{
    put("sys/module/apparmor/parameters/enabled", "Y");
    const std::string other{"can't open /x: No such file or directory"};
    EXPECT_EQ(with_denial_hint(other, root.path), other);
}

}  // namespace
}  // namespace banger
