// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/confinement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/system/firecracker_driver.hpp"
#include "agent/system/qemu_driver.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Words = std::vector<std::string>;

VmmConfig config_with(VmmNetwork network, VmmConfig::Disks disks = VmmConfig::Disks::All)
{
    return {.name = "one",
            .vcpus = 1,
            .memory_mib = 128,
            .kernel_arguments = "",
            .disks = disks,
            .network = std::move(network)};
}

class ConfinedVmmTest : public ::testing::Test {
protected:
    Confine confine{[this](const VmmNeeds& told) {
        needs = told;
        return Words{"confine", "--"};
    }};
    Words words_of_qemu(const VmmConfig& config, QemuAccelerator accelerator = QemuAccelerator::Tcg)
    {
        try {
            return QemuDriver{accelerator, confine}.command(config);
        } catch (const Error&) {
            return {};  // a host without QEMU; what it needs is told all the same
        }
    }

    VmmNeeds needs;
};

TEST(WordsToConfine, NameEachThingThatIsNeeded)
{
    EXPECT_THAT(words_to_confine("/x/banger-confine", {.read = {"kernel"},
                                                       .write = {"root.img", "work.img"},
                                                       .append = {"console.log"},
                                                       .devices = {"/dev/kvm"},
                                                       .connect = "net.sock"}),
                ElementsAre("/x/banger-confine", "--read", "kernel", "--write", "root.img", "--write", "work.img",
                            "--append", "console.log", "--device", "/dev/kvm", "--connect", "net.sock", "--"));
    EXPECT_THAT(words_to_confine("/x/banger-confine", {.sockets = VmmNeeds::Sockets::Own}),
                ElementsAre("/x/banger-confine", "--sockets", "--"));
    EXPECT_THAT(words_to_confine("/x/banger-confine", {.network = VmmNeeds::Network::Host}),
                ElementsAre("/x/banger-confine", "--network", "host", "--"));
    EXPECT_THAT(words_to_confine("/x/banger-confine", {.network = VmmNeeds::Network::None}),
                ElementsAre("/x/banger-confine", "--network", "none", "--"));
}

TEST(WordsToConfine, WithoutTheProgramNoVmmIsStarted)
{
    try {
        words_to_confine("", {});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        EXPECT_THAT(error.what(), HasSubstr("install banger again"));
    }
}

TEST_F(ConfinedVmmTest, QemuHasTheConnectionToItsNetworkAndNoSocket)
{
    const auto words = words_of_qemu(config_with({VmmNetwork::Kind::StreamSocket, "net.sock", "02:00:00:00:00:07"}));
    EXPECT_THAT(needs.read, ElementsAre("kernel", "initrd", "modules.img"));
    EXPECT_THAT(needs.write, ElementsAre("root.img", "work.img"));
    EXPECT_THAT(needs.append, ElementsAre("console.log"));
    EXPECT_THAT(needs.devices, IsEmpty());
    EXPECT_EQ(needs.sockets, VmmNeeds::Sockets::None);
    EXPECT_EQ(needs.connect, "net.sock");
    if (words.empty()) {
        GTEST_SKIP() << "this host has no QEMU";
    }
    EXPECT_EQ(words.front(), "confine");
    EXPECT_THAT(words, Contains("stream,id=net,server=off,addr.type=fd,addr.str=3"));
    EXPECT_THAT(words, Not(Contains(HasSubstr("addr.path"))));
}

TEST_F(ConfinedVmmTest, QemuOnKvmWithATapHasBothDevices)
{
    words_of_qemu(config_with({VmmNetwork::Kind::Tap, "", "02:00:00:00:00:07", "bgr7"}), QemuAccelerator::Kvm);
    EXPECT_THAT(needs.devices, ElementsAre("/dev/kvm", "/dev/net/tun"));
    EXPECT_EQ(needs.connect, "");
}

TEST_F(ConfinedVmmTest, AProbeHasNoDisks)
{
    words_of_qemu(config_with({}, VmmConfig::Disks::None));
    EXPECT_THAT(needs.read, ElementsAre("kernel", "initrd"));
    EXPECT_THAT(needs.write, IsEmpty());
}

TEST_F(ConfinedVmmTest, FirecrackerIsConfinedInsideTheNamespaceOfItsTap)
{
    const FirecrackerDriver driver{[] { return "/x/firecracker"; }, confine};
    EXPECT_THAT(driver.command(config_with({})),
                ElementsAre("confine", "--", "/x/firecracker", "--id", "one", "--api-sock", "control.sock",
                            "--log-path", "firecracker.log", "--level", "Info"));
    EXPECT_EQ(needs.sockets, VmmNeeds::Sockets::Own);
    EXPECT_EQ(needs.network, VmmNeeds::Network::None);
    EXPECT_THAT(needs.devices, ElementsAre("/dev/kvm"));
    EXPECT_THAT(needs.write, ElementsAre("firecracker.log", "firecracker.metrics", "root.img", "work.img"));
    try {
        const auto words =
            driver.command(config_with({VmmNetwork::Kind::Tap, "", "02:00:00:00:00:07", "guest0", 4711}));
        EXPECT_THAT(words[0], HasSubstr("nsenter"));
        const auto at = std::find(words.begin(), words.end(), "confine");
        ASSERT_NE(at, words.end());
        EXPECT_EQ(*(at - 1), "--") << "after nsenter's own words";
        EXPECT_EQ(needs.network, VmmNeeds::Network::Given);
    } catch (const Error& error) {
        GTEST_SKIP() << error.what();  // a host without nsenter
    }
}

TEST_F(ConfinedVmmTest, FirecrackerWithATapOfTheBrokersIsInTheHostsNetwork)
{
    const FirecrackerDriver driver{[] { return "/x/firecracker"; }, confine};
    driver.command(config_with({VmmNetwork::Kind::Tap, "", "02:00:00:00:00:07", "bgr7"}));
    EXPECT_EQ(needs.network, VmmNeeds::Network::Host);
}

}  // namespace
}  // namespace banger::agent
