// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/broker_gate.hpp"

namespace banger::broker::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Answer = Authority::Answer;
using Verdict = AuditLine::Verdict;

constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;

/// One call as the bus would deliver it, and what became of it.
struct Call {
    std::vector<Caller> ran{};
    std::vector<ErrorCode> refused{};
    std::string words{};
    Gate::Done done{};

    std::size_t answers() const { return ran.size() + refused.size(); }
};

class GateTest : public ::testing::Test {
protected:
    GateTest() { callers.uids = {{":1.5", alice}, {":1.6", bob}}; }

    std::shared_ptr<Call> submit(Method method, const std::string& sender = ":1.5", std::uint32_t flags = 0)
    {
        auto call = std::make_shared<Call>();
        Gate::Request request{.method = method,
                              .sender = sender,
                              .object = "box",
                              .flags = flags,
                              .more_flags = 2,
                              .work =
                                  [this, call](const Caller& caller, Gate::Done done) {
                                      call->ran.push_back(caller);
                                      call->done = std::move(done);
                                      if (work) {
                                          work();
                                      }
                                  },
                              .refuse =
                                  [call](const Error& why) {
                                      call->refused.push_back(why.code());
                                      call->words = why.what();
                                  }};
        gate.serve(std::move(request));
        return call;
    }
    /// One whose caller is known already.
    std::shared_ptr<Call> submit_known(Method method, const std::string& sender = ":1.5", std::uint32_t flags = 0)
    {
        auto call = submit(method, sender, flags);
        callers.tell();
        return call;
    }
    void answer(Answer with)
    {
        authority.answer(with);
        callers.tell();
    }
    void expect_refused(const Call& call, ErrorCode code)
    {
        EXPECT_THAT(call.ran, IsEmpty());
        EXPECT_THAT(call.refused, ::testing::ElementsAre(code));
        EXPECT_EQ(gate.in_flight(), 0U);
        ASSERT_FALSE(audit.empty());
        EXPECT_EQ(audit.back().verdict, Verdict::Refused);
        EXPECT_EQ(audit.back().failure->error.code(), code);
    }
    void expect_runs(const Call& call, uid_t uid = alice)
    {
        ASSERT_THAT(call.ran, SizeIs(1));
        EXPECT_EQ(call.ran.front().uid, uid);
        EXPECT_THAT(call.refused, IsEmpty());
    }

    FakeCallers callers;
    FakeAuthority authority;
    FakeClock clock;
    BrokerConfig config;
    std::vector<AuditLine> audit;
    std::function<void()> work;
    std::vector<std::function<void(std::string)>> named;  ///< who waits for a user's name
    bool slow_names{false};
    Gate gate{{.callers = callers,
               .authority = authority,
               .clock = clock,
               .config = config,
               .name_of =
                   [this](uid_t uid, std::function<void(std::string)> told) {
                       named.push_back(std::move(told));
                       if (!slow_names) {
                           named.back()(uid == alice ? "alice" : "bob");
                       }
                   },
               .audit = [this](const AuditLine& line) { audit.push_back(line); }}};
};

TEST_F(GateTest, R03EveryMemberThatNeedsAnActionIsRefusedWhenPolkitSaysNo)
{
    for (const auto& rule : rules()) {
        if (rule.need == Rule::Need::Own) {
            continue;
        }
        const auto call = submit_known(rule.method);
        EXPECT_THAT(call->ran, IsEmpty()) << rule.name;
        answer(Answer::No);
        expect_refused(*call, ErrorCode::NotAuthorized);
    }
}

TEST_F(GateTest, R03NoMemberRunsBeforeTheBusHasSaidWhoCalls)
{
    for (const auto& rule : rules()) {
        const auto call = submit(rule.method);
        EXPECT_EQ(call->answers(), 0U) << rule.name;
        EXPECT_THAT(authority.questions, IsEmpty());
    }
}

TEST_F(GateTest, R04AMemberThatNeedsAnActionRunsOnAYesAlone)
{
    for (const auto with : {Answer::No, Answer::Challenge, Answer::Unavailable}) {
        const auto call = submit_known(Method::CreateSandbox);
        answer(with);
        expect_refused(*call, ErrorCode::NotAuthorized);
    }
    const auto call = submit_known(Method::CreateSandbox);
    answer(Answer::Yes);
    expect_runs(*call);
}

TEST_F(GateTest, R04AnAnswerThatIsNoneOfTheWordsIsANo)
{
    for (const auto& method : {Method::CreateSandbox, Method::StartSandbox}) {
        const auto call = submit_known(method);
        answer(static_cast<Answer>(77));
        expect_refused(*call, ErrorCode::NotAuthorized);
    }
}

TEST_F(GateTest, R26StartingNeedsNoPasswordAndAPlainNoIsOne)
{
    const auto challenged = submit_known(Method::StartSandbox);
    answer(Answer::Challenge);
    expect_runs(*challenged);
    challenged->done(std::nullopt);
    for (const auto with : {Answer::No, Answer::Unavailable}) {
        const auto call = submit_known(Method::StartSandbox);
        answer(with);
        expect_refused(*call, ErrorCode::NotAuthorized);
    }
}

TEST_F(GateTest, R26NobodyIsPromptedWhoDidNotAllowIt)
{
    for (const auto& rule : rules()) {
        submit_known(rule.method);
    }
    for (const auto& question : authority.questions) {
        EXPECT_EQ(question.interaction, Authority::Interaction::Never) << question.action;
    }
    submit_known(Method::CreateSandbox, ":1.5", 1);
    EXPECT_EQ(authority.questions.back().interaction, Authority::Interaction::Allowed);
    submit_known(Method::StartSandbox, ":1.5", 1);
    EXPECT_EQ(authority.questions.back().interaction, Authority::Interaction::Never) << "nobody is asked twice for one";
}

TEST_F(GateTest, AQuestionThatAPersonReadsNamesWhoAsks)
{
    submit_known(Method::CreateSandbox, ":1.6", 1);
    EXPECT_EQ(authority.questions.back().details, (Authority::Details{{"user", "bob"}}));
    submit_known(Method::CreateSandbox, ":1.6");
    EXPECT_THAT(authority.questions.back().details, IsEmpty()) << "nobody reads that one";
    EXPECT_THAT(named, SizeIs(1)) << "and a directory service is not asked for it";
}

TEST_F(GateTest, ANameThatIsLongInComingCountsForTheLimit)
{
    slow_names = true;
    const auto call = submit_known(Method::CreateSandbox, ":1.5", 1);
    EXPECT_THAT(authority.questions, IsEmpty());
    clock.advance(Gate::interactive_limit);
    expect_refused(*call, ErrorCode::NotAuthorized);
    named.back()("alice");
    EXPECT_THAT(authority.questions, IsEmpty()) << "it stays off the screen";
    EXPECT_EQ(call->answers(), 1U);
}

TEST_F(GateTest, R26WhatIsOnesOwnAsksNothing)
{
    for (const auto& rule : rules()) {
        if (rule.need == Rule::Need::Own) {
            const auto call = submit_known(rule.method);
            expect_runs(*call);
        }
    }
    EXPECT_THAT(authority.questions, IsEmpty());
}

TEST_F(GateTest, R01PolkitIsAskedForTheConnectionAndTheActionOfTheRule)
{
    for (const auto& rule : rules()) {
        if (rule.need != Rule::Need::Own) {
            submit_known(rule.method, ":1.6");
            EXPECT_EQ(authority.questions.back().sender, ":1.6");
            EXPECT_EQ(authority.questions.back().action, rule.action);
        }
    }
}

TEST_F(GateTest, R02AWorkGetsTheUidThatTheBusTells)
{
    const auto call = submit_known(Method::List, ":1.6");
    expect_runs(*call, bob);
    EXPECT_EQ(call->ran.front().sender, ":1.6");
}

TEST_F(GateTest, R24CallsInFlightOfTwoUsersAreEachDoneForTheirOwn)
{
    const auto his = submit_known(Method::CreateSandbox, ":1.6");
    const auto hers = submit_known(Method::CreateSandbox, ":1.5");
    ASSERT_THAT(authority.questions, SizeIs(2));
    authority.questions.front().answered(Answer::Yes);
    authority.questions.back().answered(Answer::Yes);
    callers.tell();
    expect_runs(*hers, alice);
    expect_runs(*his, bob);
}

TEST_F(GateTest, R02ACallerWhoIsGoneIsRefused)
{
    const auto call = submit_known(Method::List, ":1.99");
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_EQ(audit.back().uid, std::nullopt);
}

TEST_F(GateTest, R12ACallerWhoIsGoneBetweenQuestionAndAnswerIsRefused)
{
    const auto call = submit_known(Method::CreateSandbox);
    callers.uids.erase(":1.5");
    answer(Answer::Yes);
    expect_refused(*call, ErrorCode::NotAuthorized);
}

TEST_F(GateTest, R12AConnectionThatIsAnotherUsersByThenIsRefused)
{
    const auto call = submit_known(Method::CreateSandbox);
    callers.uids[":1.5"] = bob;
    answer(Answer::Yes);
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_EQ(audit.back().uid, alice) << "whose call it was";
}

TEST_F(GateTest, R04WorkNeverRunsWhilePolkitDoesNotAnswer)
{
    const auto call = submit_known(Method::CreateSandbox);
    clock.advance(Gate::silent_limit - milliseconds{1});
    EXPECT_EQ(call->answers(), 0U);
    clock.advance(milliseconds{1});
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_TRUE(authority.questions.back().forgotten) << "it stays on nobody's screen";
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(GateTest, APersonHasTwoMinutesForAPassword)
{
    const auto call = submit_known(Method::CreateSandbox, ":1.5", 1);
    clock.advance(Gate::interactive_limit - milliseconds{1});
    EXPECT_EQ(call->answers(), 0U);
    answer(Answer::Yes);
    expect_runs(*call);
    clock.advance(Gate::interactive_limit);
    EXPECT_EQ(call->answers(), 1U);
}

TEST_F(GateTest, R04AYesThatComesTooLateAllowsNothing)
{
    const auto call = submit_known(Method::CreateSandbox);
    clock.advance(Gate::silent_limit);
    answer(Answer::Yes);
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_THAT(audit, SizeIs(1));
}

TEST_F(GateTest, AQuestionAnsweredTwiceRunsItsWorkOnce)
{
    const auto call = submit_known(Method::CreateSandbox);
    authority.answer(Answer::Yes);
    authority.answer(Answer::Yes);
    callers.tell();
    authority.answer(Answer::Yes);
    authority.answer(Answer::No);
    callers.tell();
    expect_runs(*call);
    call->done(std::nullopt);
    EXPECT_THAT(audit, SizeIs(1));
}

TEST_F(GateTest, AYesAfterANoIsLate)
{
    const auto call = submit_known(Method::CreateSandbox);
    authority.answer(Answer::No);
    answer(Answer::Yes);
    expect_refused(*call, ErrorCode::NotAuthorized);
}

TEST_F(GateTest, R04AnAuthorityThatThrowsAllowsNothing)
{
    authority.throws = true;
    const auto call = submit_known(Method::CreateSandbox);
    expect_refused(*call, ErrorCode::Internal);
    EXPECT_THAT(call->words, ::testing::Not(HasSubstr("the bus is gone"))) << "that is for the log alone";
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(GateTest, R11AFlagThatIsNotKnownIsRefusedBeforeAnybodyIsAsked)
{
    for (const std::uint32_t flags : {4U, 8U, 0x80000000U, 0xffffffffU, 5U}) {
        const auto call = submit(Method::CreateSandbox, ":1.5", flags);
        expect_refused(*call, ErrorCode::InvalidArgument);
    }
    EXPECT_EQ(callers.waiting(), 0U);
    submit(Method::StartSandbox, ":1.5", 3);
    EXPECT_EQ(callers.waiting(), 1U);
}

TEST_F(GateTest, AWorkThatThrowsIsAnsweredAndItsTextStaysInTheLog)
{
    work = [] { throw std::runtime_error{"secret detail"}; };
    const auto call = submit_known(Method::List);
    EXPECT_THAT(call->refused, ::testing::ElementsAre(ErrorCode::Internal));
    EXPECT_THAT(call->words, ::testing::Not(HasSubstr("secret")));
    ASSERT_THAT(audit, SizeIs(1));
    EXPECT_EQ(audit.back().verdict, Verdict::Allowed);
    EXPECT_THAT(audit.back().failure->detail, HasSubstr("secret detail"));
    EXPECT_EQ(gate.in_flight(), 0U);
}

TEST_F(GateTest, AWorkThatThrowsWhatIsNoExceptionIsAnsweredToo)
{
    work = [] { throw 7; };
    const auto call = submit_known(Method::List);
    EXPECT_THAT(call->refused, ::testing::ElementsAre(ErrorCode::Internal));
}

TEST_F(GateTest, AWorkThatThrowsOurOwnErrorIsAnsweredWithIt)
{
    work = [] { throw Error{ErrorCode::NotFound, "you have no sandbox box"}; };
    const auto call = submit_known(Method::List);
    EXPECT_THAT(call->refused, ::testing::ElementsAre(ErrorCode::NotFound));
}

TEST_F(GateTest, AWorkThatThrowsOnceItIsDoneIsNotAnsweredAgain)
{
    std::shared_ptr<Call> call = std::make_shared<Call>();
    gate.serve({.method = Method::List,
                .sender = ":1.5",
                .object = "",
                .work =
                    [](const Caller&, const Gate::Done& done) {
                        done(std::nullopt);
                        throw std::runtime_error{"too late"};
                    },
                .refuse = [call](const Error& why) { call->refused.push_back(why.code()); }});
    callers.tell();
    EXPECT_THAT(call->refused, IsEmpty());
    EXPECT_THAT(audit, SizeIs(1));
}

TEST_F(GateTest, ARefusalThatCanNotBeSentEndsTheCallAllTheSame)
{
    gate.serve({.method = Method::List,
                .sender = ":1.99",
                .object = "",
                .work = [](const Caller&, const Gate::Done&) {},
                .refuse = [](const Error&) { throw std::runtime_error{"the bus is gone"}; }});
    callers.tell();
    EXPECT_EQ(gate.in_flight(), 0U);
    EXPECT_THAT(audit, SizeIs(1));
}

TEST_F(GateTest, R25EachCallIsAuditedOnceWhenItEnds)
{
    const auto call = submit_known(Method::List);
    EXPECT_THAT(audit, IsEmpty());
    clock.advance(milliseconds{42});
    call->done(std::nullopt);
    call->done(std::nullopt);
    ASSERT_THAT(audit, SizeIs(1));
    EXPECT_EQ(audit.back().uid, alice);
    EXPECT_EQ(audit.back().sender, ":1.5");
    EXPECT_EQ(audit.back().object, "box");
    EXPECT_EQ(audit.back().rule->name, "List");
    EXPECT_EQ(audit.back().verdict, Verdict::Allowed);
    EXPECT_EQ(audit.back().took, milliseconds{42});
    EXPECT_FALSE(audit.back().failure);
}

TEST_F(GateTest, R16AUserHasSoManyCallsInFlightAndOthersHaveTheirs)
{
    config.user.calls = 3;
    std::vector<std::shared_ptr<Call>> calls;
    for (int i = 0; i < 3; ++i) {
        calls.push_back(submit_known(i == 0 ? Method::CreateSandbox : Method::List));
    }
    const auto refused = submit_known(Method::List);
    EXPECT_THAT(refused->refused, ::testing::ElementsAre(ErrorCode::QuotaExceeded));
    expect_runs(*submit_known(Method::List, ":1.6"), bob);
    calls.back()->done(std::nullopt);
    expect_runs(*submit_known(Method::List));
}

TEST_F(GateTest, R16AllTogetherHaveSoManyCallsInFlight)
{
    config.all.calls = 2;
    submit_known(Method::List);
    submit_known(Method::List, ":1.6");
    EXPECT_THAT(submit_known(Method::List)->refused, ::testing::ElementsAre(ErrorCode::QuotaExceeded));
}

TEST_F(GateTest, R16QuestionsThatHangCountAgainstTheirUser)
{
    config.user.calls = 2;
    submit_known(Method::CreateSandbox, ":1.5", 1);
    submit_known(Method::CreateSandbox, ":1.5", 1);
    const auto questions = authority.questions.size();
    EXPECT_THAT(submit_known(Method::CreateSandbox, ":1.5", 1)->refused,
                ::testing::ElementsAre(ErrorCode::QuotaExceeded));
    EXPECT_EQ(authority.questions.size(), questions) << "no storm of prompts";
    clock.advance(Gate::interactive_limit);
    EXPECT_EQ(gate.in_flight(), 0U);
}

TEST_F(GateTest, CallsAreCountedForTheIdleExit)
{
    submit(Method::List);
    submit_known(Method::CreateSandbox, ":1.5", 8);
    EXPECT_EQ(gate.calls_since_asked(), 2U);
    EXPECT_EQ(gate.calls_since_asked(), 0U);
}

}  // namespace
}  // namespace banger::broker::test
