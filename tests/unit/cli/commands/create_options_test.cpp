// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/create_options.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "common/error.hpp"

namespace banger::cli {
namespace {

/// What these words become on the bus.
VariantMap map_of(const std::vector<std::string>& words)
{
    Parser parser{"banger", "", ""};
    CreateOptions options;
    options.add_to(parser.root());
    EXPECT_EQ(parser.parse(words).kind, Verdict::Kind::Accepted);
    return options.to_map();
}

/// Who runs the tests may have settings of his own.
void forget_own_settings()
{
    std::vector<std::string> names;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string text{*variable};
        if (text.starts_with("BANGER_")) {
            names.push_back(text.substr(0, text.find('=')));
        }
    }
    for (const auto& name : names) {
        ::unsetenv(name.c_str());
    }
}

TEST(CreateOptions, SendsNothingThatWasNotGiven)
{
    forget_own_settings();
    EXPECT_TRUE(map_of({}).empty());
}

TEST(CreateOptions, SendsTheTypesOfTheContract)
{
    const auto map = map_of({"--name", "calm-otter", "--vcpu", "2", "--memory", "2G", "--disk-size=16G", "--network",
                             "none", "--timeout", "0", "--dry-run"});
    EXPECT_EQ(map.at("name").get<std::string>(), "calm-otter");
    EXPECT_EQ(map.at("vcpus").get<std::uint32_t>(), 2U);
    EXPECT_EQ(map.at("memory_mib").get<std::uint32_t>(), 2048U);
    EXPECT_EQ(map.at("disk_bytes").get<std::uint64_t>(), std::uint64_t{16} << 30U);
    EXPECT_EQ(map.at("network").get<std::string>(), "none");
    EXPECT_EQ(map.at("ready_timeout_s").get<std::uint32_t>(), 0U);
    EXPECT_TRUE(map.at("dry_run").get<bool>());
}

TEST(CreateOptions, SendWhatTheBrokerIsAskedFor)
{
    const auto map = map_of({"--nat", "--network", "tap", "--storage", "dm-snapshot", "--system-overlay-size", "2G"});
    EXPECT_TRUE(map.at("nat").get<bool>());
    EXPECT_EQ(map.at("network").get<std::string>(), "tap");
    EXPECT_EQ(map.at("storage").get<std::string>(), "dm-snapshot");
    EXPECT_EQ(map.at("overlay_bytes").get<std::uint64_t>(), std::uint64_t{2} << 30U);
    EXPECT_FALSE(map_of({"--no-nat"}).at("nat").get<bool>());
}

TEST(CreateOptions, CountsBareMemoryInMebibytes)
{
    EXPECT_EQ(map_of({"--memory", "512"}).at("memory_mib").get<std::uint32_t>(), 512U);
}

class BadCreateOption : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(BadCreateOption, IsRefusedAndRepeated)
{
    try {
        map_of(GetParam());
        FAIL() << "it was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        EXPECT_NE(std::string{error.what()}.find(GetParam()[1]), std::string::npos) << error.what();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Values, BadCreateOption,
    testing::Values(std::vector<std::string>{"--name", ""}, std::vector<std::string>{"--image", ""},
                    std::vector<std::string>{"--memory", "0"}, std::vector<std::string>{"--memory", "lots"},
                    std::vector<std::string>{"--memory", "100K"}, std::vector<std::string>{"--memory", "9999999T"},
                    std::vector<std::string>{"--disk-size", ""}, std::vector<std::string>{"--disk-size", "16Q"},
                    std::vector<std::string>{"--disk-size", "-1"}, std::vector<std::string>{"--vcpu", "1.5"},
                    std::vector<std::string>{"--vcpu", "-1"}, std::vector<std::string>{"--vcpu", "99999999999"},
                    std::vector<std::string>{"--timeout", "soon"}));

TEST(CreateOptions, AreOnesOfTheirLists)
{
    EXPECT_THROW(map_of({"--network", "bridge"}), Error);
    EXPECT_THROW(map_of({"--vmm", "xen"}), Error);
    EXPECT_THROW(map_of({"--storage", "zfs"}), Error);
}

}  // namespace
}  // namespace banger::cli
