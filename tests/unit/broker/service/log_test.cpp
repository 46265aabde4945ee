// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace banger::broker::log {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

AuditLine line()
{
    return {.rule = &rule_of(Method::CreateSandbox),
            .uid = 1000,
            .sender = ":1.5",
            .object = "box",
            .verdict = AuditLine::Verdict::Allowed,
            .failure = std::nullopt,
            .took = std::chrono::milliseconds{42}};
}

TEST(LogTest, R25ALineSaysWhoWhatAndWhatCameOfIt)
{
    EXPECT_EQ(audit_text(line()),
              "call uid=1000 sender=:1.5 method=CreateSandbox object=\"box\" verdict=allowed result=ok ms=42");
}

TEST(LogTest, R25AFailureSaysWhichAndWhy)
{
    auto failed = line();
    failed.uid = std::nullopt;
    failed.verdict = AuditLine::Verdict::Refused;
    failed.failure = Failure{Error{ErrorCode::NotAuthorized, "for the caller"}, "for the log"};
    const auto text = audit_text(failed);
    EXPECT_THAT(text, HasSubstr("uid=?"));
    EXPECT_THAT(text, HasSubstr("verdict=refused result=NotAuthorized"));
    EXPECT_THAT(text, HasSubstr("for the log"));
    EXPECT_THAT(text, Not(HasSubstr("for the caller")));
}

TEST(LogTest, R25AClientsWordsAreOneShortLine)
{
    auto hostile = line();
    hostile.object = "a\n<3>call uid=0\x1b[2J\x80" + std::string(10'000, 'x');
    hostile.failure = Failure{Error{ErrorCode::InvalidArgument, "no"}, "b\r\n" + std::string(10'000, 'y')};
    const auto text = audit_text(hostile);
    EXPECT_LT(text.size(), 600U);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; })) << text;
}

TEST(LogTest, R25AClientsWordsDoNotEndTheirQuotation)
{
    auto hostile = line();
    hostile.object = "x\" verdict=allowed result=ok ms=1";
    hostile.verdict = AuditLine::Verdict::Refused;
    hostile.failure = Failure{Error{ErrorCode::InvalidArgument, "no"}, "\\\" ms=0"};
    const auto text = audit_text(hostile);
    EXPECT_THAT(text, HasSubstr("object=\"x\\\" verdict=allowed"));
    EXPECT_THAT(text, HasSubstr("\"\\\\\\\" ms=0\""));
    EXPECT_THAT(text, EndsWith(" ms=42"));
}

TEST(LogTest, R25AnEndingBackslashDoesNotTakeTheQuotationMarkAlong)
{
    auto hostile = line();
    hostile.object = "x\\";
    EXPECT_THAT(audit_text(hostile), HasSubstr("object=\"x\\\\\" verdict=allowed"));
}

}  // namespace
}  // namespace banger::broker::log
