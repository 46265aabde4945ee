// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ladder.hpp"

#include <gmock/gmock.h>

#include "tests/unit/agent/system/probe_world.hpp"

namespace banger::agent {
namespace {

class LadderTest : public test::ProbeTest {
protected:
    Ladder ladder{loop, processes, links, state.path, [this] { return device_problem; }};
};

TEST_F(LadderTest, AForcedRungThatCanNotBeHadIsAnErrorWithItsReason)
{
    device_problem = "this host has no /dev/kvm; enable virtualisation in its firmware";
    const auto answer = run(ladder.choose(VmmChoice::QemuKvm, kernel()));
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::HostLacks);
    EXPECT_EQ(std::string{answer->error->what()}, "qemu-kvm was asked for, but " + device_problem);
}

TEST_F(LadderTest, WithoutKvmTheNextRungIsTakenUnlessOneIsForced)
{
    device_problem = "no";
    const auto answer = run(ladder.choose(VmmChoice::Auto, kernel()));
    ASSERT_TRUE(answer->value);
    EXPECT_EQ((*answer->value)->name(), "qemu-tcg");
}

TEST_F(LadderTest, EmulationThatIsForcedAsksNobody)
{
    Ladder strict{loop, processes, links, state.path, []() -> std::string {
                      ADD_FAILURE() << "the device was looked at";
                      return "no";
                  }};
    const auto answer = run(strict.choose(VmmChoice::QemuTcg, kernel()));
    ASSERT_TRUE(answer->value);
    EXPECT_EQ((*answer->value)->name(), "qemu-tcg");
    EXPECT_EQ(processes.starts, 0);
}

TEST_F(LadderTest, ARungIsFoundByTheNameThatItGives)
{
    for (const auto* name : {"qemu-kvm", "qemu-tcg"}) {
        ASSERT_NE(ladder.by_name(name), nullptr);
        EXPECT_EQ(ladder.by_name(name)->name(), name);
    }
    EXPECT_EQ(ladder.by_name("firecracker"), nullptr);
    EXPECT_EQ(ladder.by_name(""), nullptr);
}

}  // namespace
}  // namespace banger::agent
