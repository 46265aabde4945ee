// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "broker/service/gate.hpp"
#include "tests/fakes/broker_gate.hpp"

namespace banger::broker::test {

inline constexpr uid_t alice = 1000;
inline constexpr uid_t bob = 1001;

/// One call as the bus would deliver it, and what became of it.
struct Call {
    std::vector<Caller> ran{};
    std::vector<ErrorCode> refused{};
    std::string words{};
    Gate::Done done{};

    std::size_t answers() const { return ran.size() + refused.size(); }
};

/// A gate whose bus, polkit and clock a test moves.
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
    void answer(Authority::Answer with)
    {
        authority.answer(with);
        callers.tell();
    }
    void expect_refused(const Call& call, ErrorCode code)
    {
        EXPECT_THAT(call.ran, ::testing::IsEmpty());
        EXPECT_THAT(call.refused, ::testing::ElementsAre(code));
        EXPECT_EQ(gate.in_flight(), 0U);
        ASSERT_FALSE(audit.empty());
        EXPECT_EQ(audit.back().verdict, AuditLine::Verdict::Refused);
        EXPECT_EQ(audit.back().failure->error.code(), code);
    }
    void expect_runs(const Call& call, uid_t uid = alice)
    {
        ASSERT_THAT(call.ran, ::testing::SizeIs(1));
        EXPECT_EQ(call.ran.front().uid, uid);
        EXPECT_THAT(call.refused, ::testing::IsEmpty());
    }

    FakeCallers callers;
    FakeAuthority authority;
    FakeClock clock;
    BrokerConfig config;
    std::vector<AuditLine> audit;
    std::function<void()> work;
    std::vector<std::function<void(std::optional<std::string>)>> named;  ///< who waits for a user's name
    bool slow_names{false};
    Gate gate{{.callers = callers,
               .authority = authority,
               .clock = clock,
               .config = config,
               .name_of =
                   [this](uid_t uid, std::function<void(std::optional<std::string>)> told) {
                       named.push_back(std::move(told));
                       if (!slow_names) {
                           named.back()(uid == alice ? "alice" : "bob");
                       }
                   },
               .audit = [this](const AuditLine& line) { audit.push_back(line); }}};
};

}  // namespace banger::broker::test
