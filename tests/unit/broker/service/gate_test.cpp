// SPDX-License-Identifier: GPL-2.0-or-later
// Long because a call has many ends, and each has its test here.
#include "tests/unit/broker/service/gate_fixture.hpp"

namespace banger::broker::test {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Answer = Authority::Answer;
using Verdict = AuditLine::Verdict;

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
}

TEST_F(GateTest, R32NothingIsDoneForAUidBeforeItsUserIsKnown)
{
    slow_names = true;
    for (const auto& rule : rules()) {
        const auto call = submit_known(rule.method);
        EXPECT_EQ(call->answers(), 0U) << rule.name;
        EXPECT_THAT(authority.questions, IsEmpty()) << rule.name;
    }
    const auto call = submit_known(Method::List);
    named.back()("alicia");
    expect_runs(*call);
    EXPECT_EQ(call->ran.front().user, "alicia");
    named.back()("mallory");
    EXPECT_EQ(call->answers(), 1U);
}

TEST_F(GateTest, R32AUidThatIsNobodysGetsNothing)
{
    slow_names = true;
    for (const auto& rule : rules()) {
        const auto of_nobody = submit_known(rule.method);
        named.back()("");
        expect_refused(*of_nobody, ErrorCode::NotAuthorized);
        const auto unknown = submit_known(rule.method);
        named.back()(std::nullopt);
        expect_refused(*unknown, ErrorCode::Unavailable);
    }
    EXPECT_THAT(authority.questions, IsEmpty());
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(GateTest, ANameThatDoesNotComeEndsTheCall)
{
    slow_names = true;
    const auto call = submit_known(Method::CreateSandbox, ":1.5", 1);
    clock.advance(Gate::silent_limit);
    expect_refused(*call, ErrorCode::Unavailable);
    named.back()("alice");
    EXPECT_THAT(authority.questions, IsEmpty()) << "it stays off the screen";
    EXPECT_EQ(call->answers(), 1U);
}

TEST_F(GateTest, R26WhatNeedsTwoActionsAsksAPersonOnce)
{
    using Asked = std::vector<std::string>;
    const auto& rule = rule_of(Method::CreateWithNat);
    const std::string first{rule.action};
    const std::string second{rule.also};
    const std::string both{rule.both};
    struct Case {
        Answer of_first;
        Answer of_second;
        Asked asked;  ///< in turn; the third is for a person
    };
    for (const auto& [of_first, of_second, asked] :
         {Case{Answer::Yes, Answer::Yes, {first, second}}, Case{Answer::Challenge, Answer::Yes, {first, second, first}},
          Case{Answer::Yes, Answer::Challenge, {first, second, second}},
          Case{Answer::Challenge, Answer::Challenge, {first, second, both}}}) {
        authority.questions.clear();
        const auto call = submit_known(Method::CreateWithNat, ":1.6", 1);
        answer(of_first);
        EXPECT_EQ(call->answers(), 0U);
        answer(of_second);
        if (asked.size() == 3) {
            EXPECT_EQ(call->answers(), 0U);
            EXPECT_EQ(authority.questions.back().details, (Authority::Details{{"user", "bob"}}));
            answer(Answer::Yes);
        }
        Asked actions;
        for (const auto& question : authority.questions) {
            EXPECT_EQ(question.interaction == Authority::Interaction::Allowed, actions.size() == 2);
            actions.push_back(question.action);
        }
        EXPECT_EQ(actions, asked);
        expect_runs(*call, bob);
        call->done(std::nullopt);
    }
}

TEST_F(GateTest, R26WhatNeedsTwoActionsIsRefusedByAPlainNoToEither)
{
    const auto first = submit_known(Method::CreateWithNat, ":1.5", 1);
    answer(Answer::No);
    expect_refused(*first, ErrorCode::NotAuthorized);
    for (const auto with : {Answer::No, Answer::Unavailable, static_cast<Answer>(77)}) {
        const auto second = submit_known(Method::CreateWithNat, ":1.5", 1);
        answer(Answer::Challenge);
        answer(with);
        expect_refused(*second, ErrorCode::NotAuthorized);
        EXPECT_EQ(authority.questions.back().interaction, Authority::Interaction::Never) << "and nobody was asked";
    }
    for (const auto with : {Answer::No, Answer::Challenge, Answer::Unavailable}) {
        const auto asked = submit_known(Method::CreateWithNat, ":1.5", 1);
        answer(Answer::Challenge);
        answer(Answer::Challenge);
        answer(with);
        expect_refused(*asked, ErrorCode::NotAuthorized);
    }
}

TEST_F(GateTest, R26WhatNeedsTwoActionsAndMayAskNobodyNamesTheGroup)
{
    const auto call = submit_known(Method::CreateWithNat);
    answer(Answer::Yes);
    answer(Answer::Challenge);
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_THAT(call->words, HasSubstr("dev.banger.enable-network"));
    EXPECT_THAT(call->words, HasSubstr("group banger"));
    EXPECT_EQ(clock.waiting(), 0U);
}

TEST_F(GateTest, R04EachOfTwoQuestionsHasItsOwnLimitAndItsOwnAnswer)
{
    const auto call = submit_known(Method::CreateWithNat);
    authority.answer(Answer::Yes);
    ASSERT_THAT(authority.questions, SizeIs(2));
    const auto of_the_first = authority.questions.front().answered;
    of_the_first(Answer::Yes);
    callers.tell();
    EXPECT_EQ(call->answers(), 0U) << "an answer that comes twice is none to the second";
    clock.advance(Gate::silent_limit);
    expect_refused(*call, ErrorCode::NotAuthorized);
    EXPECT_TRUE(authority.questions.back().forgotten);
    answer(Answer::Yes);
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

TEST_F(GateTest, R12AUidThatIsAnotherUsersByThenIsRefused)
{
    using Name = std::optional<std::string>;
    for (const auto& name : {Name{"mallory"}, Name{""}}) {
        slow_names = false;
        const auto call = submit_known(Method::CreateSandbox);
        slow_names = true;
        answer(Answer::Yes);
        answer(Answer::Yes);
        EXPECT_EQ(call->answers(), 0U);
        named.back()(name);
        expect_refused(*call, ErrorCode::NotAuthorized);
        named.back()("alice");
        EXPECT_EQ(call->answers(), 1U);
    }
}

TEST_F(GateTest, R12AUserDatabaseThatIsAwayByThenIsNoRefusalOfPolkits)
{
    const std::vector<std::function<void()>> ways{[&] { named.back()(std::nullopt); },
                                                  [&] { clock.advance(Gate::silent_limit); }};
    for (const auto& away : ways) {
        slow_names = false;
        const auto call = submit_known(Method::CreateSandbox);
        slow_names = true;
        answer(Answer::Yes);
        away();
        expect_refused(*call, ErrorCode::Unavailable);
        EXPECT_EQ(clock.waiting(), 0U);
    }
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

TEST_F(GateTest, WhoWaitsForPolkitIsRefusedByABrokerThatIsToldToEnd)
{
    const auto own = submit_known(Method::List);
    const auto waiting = submit_known(Method::CreateSandbox, ":1.6", 1);
    const auto allowed = submit_known(Method::CloneSandbox);
    authority.answer(Answer::Yes);
    gate.ask_no_more();
    EXPECT_THAT(waiting->refused, ::testing::ElementsAre(ErrorCode::Unavailable));
    EXPECT_TRUE(authority.questions.front().forgotten) << "it stays on nobody's screen";
    EXPECT_EQ(gate.in_flight(), 2U);
    authority.questions.front().answered(Answer::Yes);
    callers.tell();
    EXPECT_EQ(waiting->answers(), 1U);
    expect_runs(*allowed);
    EXPECT_THAT(submit_known(Method::CreateSandbox)->refused, ::testing::ElementsAre(ErrorCode::Unavailable));
    expect_runs(*submit_known(Method::List));
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

TEST_F(GateTest, R16ACallThatIsLongerThanAnyWaitsForNobody)
{
    for (const auto& [words, more] :
         {std::pair{Gate::longest + 1, std::size_t{0}}, std::pair{Gate::longest, std::size_t{1}}}) {
        const auto call = std::make_shared<Call>();
        gate.serve({.method = Method::CreateSandbox,
                    .sender = ":1.5",
                    .object = std::string(words, 'a'),
                    .flags = 1,
                    .more_bytes = more,
                    .work = [](const Caller&, const Gate::Done&) {},
                    .refuse = [call](const Error& why) { call->refused.push_back(why.code()); }});
        expect_refused(*call, ErrorCode::InvalidArgument);
    }
    EXPECT_EQ(callers.waiting(), 0U);
    gate.serve({.method = Method::List,
                .sender = ":1.5",
                .object = std::string(Gate::longest, 'a'),
                .work = [](const Caller&, const Gate::Done&) {},
                .refuse = [](const Error&) {}});
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
    EXPECT_EQ(audit.back().uid, alice) << "whose calls they are";
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
