// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ladder.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/unit/agent/system/probe_world.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

class LadderTest : public test::ProbeTest {
protected:
    /// KVM was tried in this boot, and a guest came up: no probe is booted.
    LadderTest()
    {
        std::ifstream file{"/proc/sys/kernel/random/boot_id"};
        std::string boot;
        std::getline(file, boot);
        std::ofstream{state.path / "kvm.json"} << R"({"usable":true,"reason":"","boot_id":")" << boot
                                               << R"(","kernel":")" << kernel().digest.str() << R"("})";
    }
    /// A program that answers --version as Firecracker does.
    void install(const std::string& says)
    {
        const auto path = state.path / "firecracker";
        std::filesystem::remove(path);  // a new file, as an upgrade makes
        std::ofstream{path} << "#!/bin/sh\necho '" << says << "'\n";
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    }
    std::filesystem::path find() const
    {
        const auto path = state.path / "firecracker";
        if (!std::filesystem::exists(path)) {
            throw Error{ErrorCode::HostLacks, "there is no firecracker"};
        }
        return path;
    }
    static VmSpec wish(VmmChoice choice)
    {
        return VmSpec{.name = VmName::parse("one"),
                      .image = "debian",
                      .image_digest = kernel().digest,
                      .kernel = "debian",
                      .kernel_digest = kernel().digest,
                      .vcpus = 1,
                      .memory_mib = 512,
                      .disk = 1 * gib,
                      .vmm = choice};
    }
    static Task<std::string> say(std::string words) { co_return words; }
    VmmLadder::Pick pick(const VmSpec& spec)
    {
        const auto answer = run(ladder.choose(spec, kernel()));
        EXPECT_TRUE(answer->value) << answer->error->what();
        return answer->value.value_or(VmmLadder::Pick{nullptr, "none"});
    }
    std::string refusal(VmmChoice choice)
    {
        const auto answer = run(ladder.choose(wish(choice), kernel()));
        EXPECT_TRUE(answer->error);
        EXPECT_EQ(answer->error ? answer->error->code() : ErrorCode::Internal, ErrorCode::HostLacks);
        return answer->error ? answer->error->what() : "";
    }

    Lane lane{1};
    FirecrackerProgram firecracker{loop, lane, [this] { return find(); }};
    std::string tap_problem;
    Ladder ladder{loop,
                  processes,
                  links,
                  state.path,
                  {.firecracker = firecracker,
                   .device_problem = [this] { return device_problem; },
                   .tap_problem = [this] { return say(tap_problem); }}};
};

TEST_F(LadderTest, WhereKvmWorksFirecrackerIsTheFirstChoice)
{
    install("Firecracker v1.12.1");
    const auto picked = pick(wish(VmmChoice::Auto));
    EXPECT_EQ(picked.vmm->name(), "firecracker");
    EXPECT_EQ(picked.lack, "");
}

TEST_F(LadderTest, WithoutFirecrackerQemuIsTakenAndTheReasonSaid)
{
    const auto picked = pick(wish(VmmChoice::Auto));
    EXPECT_EQ(picked.vmm->name(), "qemu-kvm");
    EXPECT_EQ(picked.lack, "there is no firecracker");
}

TEST_F(LadderTest, AnOldFirecrackerIsPassedOverUntilANewOneIsThere)
{
    install("Firecracker v1.11.9");
    EXPECT_THAT(pick(wish(VmmChoice::Auto)).lack,
                ::testing::AllOf(HasSubstr("Firecracker 1.11.9, too old"), HasSubstr("banger runtime fetch")));
    EXPECT_THAT(refusal(VmmChoice::Firecracker), HasSubstr("too old"));
    install("Firecracker v1.13.0");
    EXPECT_EQ(pick(wish(VmmChoice::Auto)).vmm->name(), "firecracker");
}

TEST_F(LadderTest, WhatIsNoFirecrackerOrMayNotRunIsNamed)
{
    install("hello");
    EXPECT_THAT(refusal(VmmChoice::Firecracker), HasSubstr("is no Firecracker: it says \"hello\""));
    std::filesystem::permissions(state.path / "firecracker", std::filesystem::perms::owner_read);
    EXPECT_THAT(refusal(VmmChoice::Firecracker),
                ::testing::AllOf(HasSubstr((state.path / "firecracker").string()), HasSubstr("banger runtime fetch")));
}

TEST_F(LadderTest, WhatFirecrackerCanNotDoGoesToQemu)
{
    install("Firecracker v1.12.1");
    auto many = wish(VmmChoice::Auto);
    many.vcpus = 33;
    EXPECT_EQ(pick(many).vmm->name(), "qemu-kvm");
    tap_problem = "no user namespaces here";
    EXPECT_EQ(pick(wish(VmmChoice::Auto)).lack, tap_problem);
    auto alone = wish(VmmChoice::Auto);
    alone.network = NetworkChoice::None;
    EXPECT_EQ(pick(alone).vmm->name(), "firecracker");
    auto with_broker = wish(VmmChoice::Auto);
    with_broker.network = NetworkChoice::Tap;
    EXPECT_EQ(pick(with_broker).vmm->name(), "firecracker") << "the broker's TAP needs no namespace";
}

TEST_F(LadderTest, EachVmmTakesTheBrokersTapByItsName)
{
    install("Firecracker v1.12.1");
    VmmConfig config{.name = "one",
                     .vcpus = 1,
                     .memory_mib = 128,
                     .kernel_arguments = "",
                     .disks = VmmConfig::Disks::All,
                     .network = {VmmNetwork::Kind::Tap, "", "02:00:00:00:00:07", "bgr7"}};
    const auto firecracker_words = ladder.by_name("firecracker")->command(config);
    EXPECT_EQ(firecracker_words.front(), state.path / "firecracker") << "not through a namespace";
    try {
        const auto words = ladder.by_name("qemu-tcg")->command(config);
        EXPECT_THAT(words, ::testing::Contains("tap,id=net,ifname=bgr7,script=no,downscript=no,vhost=off"));
        EXPECT_THAT(words, ::testing::Contains("virtio-net-device,netdev=net,mac=02:00:00:00:00:07"));
    } catch (const Error& error) {
        GTEST_SKIP() << error.what();  // a host without QEMU
    }
}

TEST_F(LadderTest, ANetworkLimitTakesFirecrackerAndSaysWhyItIsNotThere)
{
    auto limited = wish(VmmChoice::Auto);
    limited.rates.network = 1 * mib;
    auto answer = run(ladder.choose(limited, kernel()));
    ASSERT_TRUE(answer->error);
    EXPECT_THAT(answer->error->what(),
                HasSubstr("only Firecracker limits a VM's network, but there is no firecracker"));
    install("Firecracker v1.12.1");
    EXPECT_EQ(pick(limited).vmm->name(), "firecracker");
    limited.vmm = VmmChoice::QemuTcg;
    answer = run(ladder.choose(limited, kernel()));
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::InvalidArgument);
    device_problem = "no /dev/kvm";
    limited.vmm = VmmChoice::Auto;
    answer = run(ladder.choose(limited, kernel()));
    ASSERT_TRUE(answer->error);
    EXPECT_THAT(answer->error->what(), HasSubstr("but no /dev/kvm"));
}

TEST_F(LadderTest, AForcedRungThatCanNotBeHadIsAnErrorWithItsReason)
{
    device_problem = "this host has no /dev/kvm; enable virtualisation in its firmware";
    install("Firecracker v1.12.1");
    EXPECT_EQ(refusal(VmmChoice::QemuKvm), "qemu-kvm was asked for, but " + device_problem);
    EXPECT_EQ(refusal(VmmChoice::Firecracker), "firecracker was asked for, but " + device_problem);
}

TEST_F(LadderTest, WithoutKvmTheNextRungIsTakenUnlessOneIsForced)
{
    device_problem = "no";
    const auto picked = pick(wish(VmmChoice::Auto));
    EXPECT_EQ(picked.vmm->name(), "qemu-tcg");
    EXPECT_EQ(picked.lack, "no");
}

TEST_F(LadderTest, EmulationThatIsForcedAsksNobody)
{
    Ladder strict{
        loop, processes, links, state.path, {.firecracker = firecracker, .device_problem = []() -> std::string {
                                                 ADD_FAILURE() << "the device was looked at";
                                                 return "no";
                                             }}};
    const auto answer = run(strict.choose(wish(VmmChoice::QemuTcg), kernel()));
    ASSERT_TRUE(answer->value);
    EXPECT_EQ(answer->value->vmm->name(), "qemu-tcg");
    EXPECT_EQ(processes.starts, 0);
}

TEST_F(LadderTest, ARungIsFoundByTheNameThatItGives)
{
    for (const auto* name : {"firecracker", "qemu-kvm", "qemu-tcg"}) {
        ASSERT_NE(ladder.by_name(name), nullptr);
        EXPECT_EQ(ladder.by_name(name)->name(), name);
    }
    EXPECT_EQ(ladder.by_name(""), nullptr);
}

}  // namespace
}  // namespace banger::agent
