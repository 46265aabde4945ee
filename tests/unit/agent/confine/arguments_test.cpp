// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::confine {
namespace {

using ::testing::ElementsAre;

Arguments parse(std::vector<std::string> words)
{
    std::vector<char*> pointers;
    for (auto& word : words) {
        pointers.push_back(word.data());
    }
    auto arguments = parse_arguments(pointers, "/vm");
    arguments.program = {};  // it points into `words`
    return arguments;
}

TEST(ConfineArguments, AreWhatAVmmNeeds)
{
    const auto arguments =
        parse({"--read", "kernel", "--read", "initrd", "--write", "root.img", "--append", "console.log", "--device",
               "/dev/kvm", "--sockets", "--connect", "net.sock", "--", "/usr/bin/vmm", "--read"});
    EXPECT_THAT(arguments.read, ElementsAre("kernel", "initrd"));
    EXPECT_THAT(arguments.write, ElementsAre("root.img"));
    EXPECT_THAT(arguments.append, ElementsAre("console.log"));
    EXPECT_THAT(arguments.devices, ElementsAre("/dev/kvm"));
    EXPECT_EQ(arguments.sockets, Sockets::Unix);
    EXPECT_EQ(arguments.connect, "net.sock");
    EXPECT_EQ(arguments.folder, "/vm");
}

TEST(ConfineArguments, NameTheNetworkThatItIsIn)
{
    EXPECT_EQ(parse({"--", "/usr/bin/vmm"}).network, Network::Given);
    EXPECT_EQ(parse({"--network", "none", "--", "/usr/bin/vmm"}).network, Network::None);
    EXPECT_EQ(parse({"--network", "host", "--", "/usr/bin/vmm"}).network, Network::Host);
    EXPECT_THROW(parse({"--network", "other", "--", "/usr/bin/vmm"}), Error);
}

TEST(ConfineArguments, NeverLeadOutOfTheFolder)
{
    for (const std::string bad : {"../other/root.img", "/etc/passwd", "..", ".", "", "a/b"}) {
        for (const std::string option : {"--read", "--write", "--append", "--connect"}) {
            EXPECT_THROW(parse({option, bad, "--", "/usr/bin/vmm"}), Error) << option << " " << bad;
        }
    }
    EXPECT_THROW(parse({"--device", "/etc/shadow", "--", "/usr/bin/vmm"}), Error);
}

TEST(ConfineArguments, WantAProgramByItsPath)
{
    EXPECT_THROW(parse({}), Error);
    EXPECT_THROW(parse({"--"}), Error);
    EXPECT_THROW(parse({"--", "vmm"}), Error);
    EXPECT_THROW(parse({"--read"}), Error);
    EXPECT_THROW(parse({"--what", "--", "/usr/bin/vmm"}), Error);
    EXPECT_TRUE(parse({"--check"}).check);
}

}  // namespace
}  // namespace banger::confine
