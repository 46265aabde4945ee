// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/guest_answers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

std::string request_refusal(std::string_view what, const Bytes& argument)
{
    try {
        guest_request(what, argument);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    ADD_FAILURE() << "it was taken";
    return "";
}

TEST(GuestAnswersTest, EachQuestionBecomesItsRequest)
{
    EXPECT_EQ(std::get<wire::Stat>(guest_request("stat", bytes_of("/\xff"))).path, "/\xff");
    EXPECT_TRUE(std::holds_alternative<wire::Stats>(guest_request("stats", {})));
    EXPECT_TRUE(std::holds_alternative<wire::SshHostKeys>(guest_request("ssh-host-keys", {})));
    EXPECT_EQ(std::get<wire::SpawnTime>(guest_request("spawn-time", {})).count, 11U);
    EXPECT_EQ(std::get<wire::SpawnTime>(guest_request("spawn-time", bytes_of("1000"))).count, 1000U);
}

TEST(GuestAnswersTest, AnUnknownQuestionNamesThoseThatThereAre)
{
    const auto said = request_refusal("we\nather", {});
    EXPECT_THAT(said, HasSubstr("we?ather"));
    EXPECT_THAT(said, HasSubstr("ssh-host-keys"));
}

TEST(GuestAnswersTest, ACountOfSpawnsIsANumberFromOneToAThousand)
{
    for (const auto* text : {"0", "1001", "-1", "12x", " 12", "99999999999999999999"}) {
        EXPECT_THAT(request_refusal("spawn-time", bytes_of(text)), HasSubstr("1 to 1000")) << text;
    }
}

TEST(GuestAnswersTest, AnAnswerKeepsTheGuestsNumbers)
{
    using Type = wire::StatResult::Type;
    const auto stat = guest_answer(wire::StatResult{Type::Symlink, Type::Absent, 0777, ~std::uint64_t{0}});
    EXPECT_EQ(stat,
              (nlohmann::json{{"type", "symlink"}, {"target", "absent"}, {"mode", 0777}, {"size", ~std::uint64_t{0}}}));
    wire::StatsResult stats;
    stats.root_total = 1;
    stats.root_available = 2;  // a guest may say anything
    EXPECT_EQ(guest_answer(stats)["root_available"], 2);
    EXPECT_EQ(guest_answer(wire::SpawnTimeResult{5}), (nlohmann::json{{"median_ns", 5}}));
    EXPECT_EQ(guest_answer(wire::Done{}), nlohmann::json::object());
}

TEST(GuestAnswersTest, AFailureIsThrownAsTextThatTheBusTakes)
{
    try {
        guest_answer(wire::Failure{std::string{"a\0b\xc0", 4}});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Failed);
        EXPECT_STREQ(error.what(), "a?b?");
    }
}

}  // namespace
}  // namespace banger::agent
