// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <vector>

namespace banger::broker::log {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
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

/// Takes events for as long as it lives.
class Journal {
public:
    explicit Journal(bool takes = true)
    {
        send_events_to([this, takes](const Fields& fields) {
            entries.push_back(fields);
            return takes;
        });
    }
    Journal(const Journal&) = delete;
    Journal& operator=(const Journal&) = delete;
    ~Journal()
    {
        send_events_to({});
        set_level("info");
    }

    std::vector<Fields> entries{};
};

std::string written_by(const std::function<void()>& what)
{
    ::testing::internal::CaptureStderr();
    what();
    return ::testing::internal::GetCapturedStderr();
}

TEST(LogTest, R25ACallIsAnEntryWithFieldsToSearchBy)
{
    const Journal journal;
    EXPECT_EQ(written_by([] { audit(line()); }), "") << "it is told once";
    ASSERT_EQ(journal.entries.size(), 1U);
    EXPECT_THAT(journal.entries.front(),
                ElementsAre("MESSAGE=" + audit_text(line()), "PRIORITY=6", "SYSLOG_IDENTIFIER=banger-broker",
                            "MESSAGE_ID=" + std::string{id_of(Event::Call)}, "BANGER_SENDER=:1.5",
                            "BANGER_METHOD=CreateSandbox", "BANGER_OBJECT=box", "BANGER_VERDICT=allowed",
                            "BANGER_RESULT=ok", "BANGER_MS=42", "BANGER_UID=1000"));
}

TEST(LogTest, R25ARefusalSaysWhyAndHasNoUidThatNobodyKnows)
{
    auto refused = line();
    refused.uid = std::nullopt;
    refused.verdict = AuditLine::Verdict::Refused;
    refused.failure = Failure{Error{ErrorCode::NotAuthorized, "for the caller"}, "for the log"};
    const Journal journal;
    audit(refused);
    const auto& fields = journal.entries.at(0);
    EXPECT_THAT(fields, Contains("PRIORITY=4"));
    EXPECT_THAT(fields, Contains("BANGER_RESULT=NotAuthorized"));
    EXPECT_THAT(fields, Contains("BANGER_DETAIL=for the log"));
    EXPECT_THAT(fields, Not(Contains(StartsWith("BANGER_UID="))));
}

TEST(LogTest, R25AClientsWordsMakeNoFieldOfTheirOwn)
{
    auto hostile = line();
    hostile.object = "a\nBANGER_UID=0\n";
    const auto fields = audit_fields(hostile);
    EXPECT_THAT(fields, Contains("BANGER_OBJECT=a?BANGER_UID=0?"));
    EXPECT_THAT(fields, Not(Contains("BANGER_UID=0")));
}

TEST(LogTest, WhatTheJournalDoesNotTakeGoesToStderr)
{
    const Journal journal{false};
    EXPECT_EQ(written_by([] { info(Event::Serving, "serving"); }), "<6>serving\n");
}

TEST(LogTest, WhatIsNoEventGoesToStderr)
{
    const Journal journal;
    EXPECT_EQ(written_by([] { error("can't serve"); }), "<3>can't serve\n");
    EXPECT_TRUE(journal.entries.empty());
}

TEST(LogTest, ALevelHoldsForEventsToo)
{
    const Journal journal;
    set_level("error");
    info(Event::Serving, "serving");
    warn(Event::NetworkMended, "mended");
    error(Event::NotReconciled, "not");
    ASSERT_EQ(journal.entries.size(), 1U);
    EXPECT_EQ(journal.entries.front().front(), "MESSAGE=not");
}

TEST(LogTest, R25NoLevelSilencesACallThatDoesSomething)
{
    {
        const Journal journal;
        set_level("error");
        audit(line());
        EXPECT_EQ(journal.entries.size(), 1U);
    }
    set_level("error");
    EXPECT_EQ(written_by([] { audit(line()); }), "<6>" + audit_text(line()) + "\n") << "nor where there is no journal";
    auto look = line();
    look.rule = &rule_of(Method::List);
    EXPECT_EQ(written_by([&look] { audit(look); }), "") << "it comes every 30 s";
    look.verdict = AuditLine::Verdict::Refused;
    EXPECT_NE(written_by([&look] { audit(look); }), "");
    set_level("info");
}

TEST(LogTest, EachEventHasAnIdOfItsOwn)
{
    std::set<std::string_view> ids;
    for (const auto event : {Event::Call, Event::Serving, Event::Leaving, Event::Reconciled, Event::NotReconciled,
                             Event::DiskTrouble, Event::NetworkMended}) {
        EXPECT_EQ(id_of(event).size(), 32U);
        EXPECT_EQ(id_of(event).find_first_not_of("0123456789abcdef"), std::string_view::npos);
        EXPECT_TRUE(ids.insert(id_of(event)).second);
    }
}

}  // namespace
}  // namespace banger::broker::log
