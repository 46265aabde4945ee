// SPDX-License-Identifier: GPL-2.0-or-later
// What forms come to; the calls themselves are in tests/contract/test_tui.py.
#include "cli/tui/actions.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

TEST(CreationOf, AnEmptyFormAsksForNothingButAStart)
{
    const auto map = creation_of({});
    EXPECT_EQ(map.count("name") + map.count("vcpus") + map.count("nat"), 0U);
    EXPECT_TRUE(map.at("start").get<bool>());
}

TEST(CreationOf, TakesWhatOptionsOfVmCreateTake)
{
    const auto map = creation_of(
        {{"name", "web"}, {"vcpu", "2"}, {"memory", "2G"}, {"disk-size", "8G"}, {"nat", "yes"}, {"start", "no"}});
    EXPECT_EQ(map.at("name").get<std::string>(), "web");
    EXPECT_EQ(map.at("vcpus").get<std::uint32_t>(), 2U);
    EXPECT_EQ(map.at("memory_mib").get<std::uint32_t>(), 2048U);
    EXPECT_EQ(map.at("disk_bytes").get<std::uint64_t>(), std::uint64_t{8} << 30U);
    EXPECT_TRUE(map.at("nat").get<bool>());
    EXPECT_FALSE(map.at("start").get<bool>());
}

TEST(CreationOf, RefusesWhatTheyRefuse)
{
    for (const auto& [field, value] : {std::pair{"vcpu", "two"}, {"memory", "12Q"}, {"disk-size", "0"}}) {
        try {
            creation_of({{field, value}});
            ADD_FAILURE() << field;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_NE(std::string{error.what()}.find(value), std::string::npos) << error.what();
        }
    }
}

TEST(ChangeOfForm, SendsWhatIsFilledInAndWantsSomething)
{
    EXPECT_EQ(change_of_form({{"vcpu", "4"}}).size(), 1U);
    EXPECT_EQ(change_of_form({{"system-overlay-size", "32G"}}).count("overlay_bytes"), 1U);
    EXPECT_FALSE(change_of_form({{"autostart", "no"}}).at("autostart").get<bool>());
    EXPECT_THROW(change_of_form({}), Error);
}

std::string shown(const ForwardWish& wish)
{
    return wish.address + " " + std::to_string(wish.port) + " " + std::to_string(wish.guest_port);
}

TEST(ForwardOfForm, TakesWhatVmForwardTakes)
{
    EXPECT_EQ(shown(forward_of_form({{"guest-port", "80"}})), " 0 80") << "any port that is free";
    EXPECT_EQ(shown(forward_of_form({{"guest-port", "80"}, {"port", "8080"}, {"address", "0.0.0.0"}})),
              "0.0.0.0 8080 80");
    EXPECT_EQ(shown(forward_of_form({{"guest-port", "80"}, {"port", "8080"}, {"address", "::1"}})), "::1 8080 80");
}

TEST(ForwardOfForm, RefusesWhatIsNoPort)
{
    for (const char* const bad : {"", "x", "0", "65536", "80:81", "-"}) {
        EXPECT_THROW(forward_of_form({{"guest-port", bad}}), Error) << bad;
    }
    EXPECT_THROW(forward_of_form({{"guest-port", "80"}, {"port", "x"}}), Error);
}

TEST(WordsToExport, AFilesNameIsNoOption)
{
    using Words = std::vector<std::string>;
    Intent intent{.verb = Verb::Export, .target = "aaaabbbbcccc", .name = "web"};
    EXPECT_EQ(words_to_export(intent), (Words{"vm", "export", "--output=web.vm.tar.gz", "aaaabbbbcccc"}));
    intent.values = {{"output", "--force"}, {"stop", "yes"}, {"with-image", "no"}};
    EXPECT_EQ(words_to_export(intent), (Words{"vm", "export", "--output=--force", "--stop", "aaaabbbbcccc"}));
}

}  // namespace
}  // namespace banger::cli::tui
