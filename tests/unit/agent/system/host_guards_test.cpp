// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_guards.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class HostGuardsTest : public ::testing::Test {
protected:
    void put(const std::string& file, const std::string& text) const
    {
        std::filesystem::create_directories((root.path / file).parent_path());
        std::ofstream{root.path / file} << text;
    }
    std::filesystem::path program(const std::string& script) const
    {
        put("banger-confine", "#!/bin/sh\n" + script + "\n");
        std::filesystem::permissions(root.path / "banger-confine", std::filesystem::perms::owner_all);
        return root.path / "banger-confine";
    }

    test::TemporaryFolder root;
};

TEST_F(HostGuardsTest, WhatHoldsAVmmIsWhatItsProgramSays)
{
    const auto good = finding_of_confinement(program("echo 'Landlock 4; a filter of system calls'"));
    EXPECT_EQ(good.verdict, "ok");
    EXPECT_THAT(good.detail, HasSubstr("Landlock 4; a filter"));
    const auto weak = finding_of_confinement(program("echo 'no Landlock'; exit 1"));
    EXPECT_EQ(weak.verdict, "warn");
    EXPECT_THAT(weak.detail, ::testing::AllOf(HasSubstr("may read this user's files"), HasSubstr("lsm=")));
    for (const auto* absent : {"", "/nowhere/banger-confine"}) {
        EXPECT_EQ(finding_of_confinement(absent).verdict, "missing") << "no VM starts without it";
        EXPECT_THAT(finding_of_confinement(absent).mend, HasSubstr("reinstall"));
    }
}

TEST_F(HostGuardsTest, TheGuardInForceIsNamedWithOurProfile)
{
    EXPECT_THAT(finding_of_access_control(root.path).detail, HasSubstr("neither"));
    put("sys/module/apparmor/parameters/enabled", "Y\n");
    put("proc/self/attr/current", "unconfined\n");
    EXPECT_EQ(finding_of_access_control(root.path).verdict, "ok");
    EXPECT_THAT(finding_of_access_control(root.path).detail, HasSubstr("AppArmor; bangerd is unconfined"));
}

TEST_F(HostGuardsTest, NamespacesWithoutRightsAreTold)
{
    put("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
    EXPECT_EQ(finding_of_access_control(root.path).verdict, "warn");
    EXPECT_THAT(finding_of_access_control(root.path).mend, HasSubstr("sysctl"));
}

}  // namespace
}  // namespace banger::agent
