// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/operation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace banger::agent {
namespace {

using ::testing::ElementsAre;

std::exception_ptr error_of(ErrorCode code) { return std::make_exception_ptr(Error{code, "the sentence"}); }

class OperationTest : public ::testing::Test {
protected:
    EventLoop loop;
    Operations operations{loop};
};

TEST_F(OperationTest, TellsStagesAndFractionsOfOneInAHundred)
{
    Operation operation{1, "create", "calm-otter"};
    std::vector<std::string> told;
    operation.observe([&](const Operation& of, Operation::Change change) {
        told.push_back(change == Operation::Change::Stage ? of.stage() : std::to_string(of.fraction()).substr(0, 4));
    });
    operation.set_stage("copying");
    operation.set_stage("copying");
    for (int i = 0; i <= 1000; ++i) {
        operation.set_fraction(i / 1000.0);
    }
    EXPECT_EQ(told.front(), "copying");
    EXPECT_GE(told.size(), 80U);
    EXPECT_LE(told.size(), 103U) << "each is a signal on the bus";
    operation.set_stage("next");
    EXPECT_EQ(operation.fraction(), -1) << "of another stage";
}

TEST_F(OperationTest, EndsDoneFailedOrCancelled)
{
    Operation done{1, "create", "a"};
    done.end(nullptr);
    EXPECT_EQ(done.state(), OperationState::Done);
    EXPECT_FALSE(done.error());
    Operation failed{2, "create", "b"};
    failed.end(error_of(ErrorCode::NoSpace));
    EXPECT_EQ(failed.state(), OperationState::Failed);
    EXPECT_EQ(failed.error()->code(), ErrorCode::NoSpace);
    Operation cancelled{3, "create", "c"};
    cancelled.end(error_of(ErrorCode::Cancelled));
    EXPECT_EQ(cancelled.state(), OperationState::Cancelled);
}

TEST_F(OperationTest, CancelIsSeenByTheTokenTheCallAndTheCheck)
{
    Operation operation{1, "create", "calm-otter"};
    int calls = 0;
    operation.on_cancel([&] { ++calls; });
    EXPECT_NO_THROW(operation.check_cancelled());
    operation.cancel();
    operation.cancel();
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(operation.stop_token().stop_requested());
    try {
        operation.check_cancelled();
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Cancelled);
        EXPECT_STREQ(error.what(), "create of calm-otter was cancelled");
    }
}

TEST_F(OperationTest, AnEndedOneIsNotCancelled)
{
    Operation operation{1, "create", "calm-otter"};
    int calls = 0;
    operation.on_cancel([&] { ++calls; });
    operation.end(nullptr);
    operation.cancel();
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(operation.state(), OperationState::Done);
}

TEST_F(OperationTest, RunEndsItWithTheOutcomeOfItsWork)
{
    const auto work = [](Promise<Unit> gate) -> Task<void> { co_await gate.wait(); };
    const Promise<Unit> good;
    const Promise<Unit> bad;
    const auto first = operations.add("start", "a");
    const auto second = operations.add("start", "b");
    EXPECT_NE(first->id(), second->id());
    operations.run(first, work(good));
    operations.run(second, work(bad));
    EXPECT_EQ(operations.running(), 2U);
    good.set(Unit{});
    bad.fail(error_of(ErrorCode::TimedOut));
    EXPECT_EQ(first->state(), OperationState::Done);
    EXPECT_EQ(second->state(), OperationState::Failed);
    EXPECT_EQ(operations.running(), 0U);
}

TEST_F(OperationTest, ABangerdThatEndsStopsOtherThreadsAndResumesNoTask)
{
    const auto work = [](OperationPtr operation, Promise<Unit> gate) -> Task<void> {
        operation->on_cancel([gate] { gate.set(Unit{}); });
        co_await gate.wait();
        operation->check_cancelled();
    };
    const std::vector<Promise<Unit>> gates(3);
    std::vector<OperationPtr> all;
    for (const auto& gate : gates) {
        all.push_back(operations.add("start", "a"));
        operations.run(all.back(), work(all.back(), gate));
    }
    loop.quit(0);
    loop.run();
    operations.request_stop();
    for (const auto& operation : all) {
        EXPECT_TRUE(operation->stop_token().stop_requested());
        EXPECT_EQ(operation->state(), OperationState::Running);
    }
    for (const auto& gate : gates) {
        gate.set(Unit{});  // one that goes on all the same finds no loop, and ends nothing but itself
    }
    EXPECT_EQ(all.front()->state(), OperationState::Cancelled);
    EXPECT_EQ(operations.running(), 0U);
}

TEST_F(OperationTest, ObserversLearnOfEachNewOne)
{
    std::vector<std::string> added;
    operations.observe([&](const OperationPtr& operation) { added.push_back(operation->kind()); }, {});
    operations.add("create", "a");
    operations.add("delete", "a");
    EXPECT_THAT(added, ElementsAre("create", "delete"));
}

TEST(ToErrorTest, KeepsOursAndHidesOthers)
{
    EXPECT_EQ(to_error(error_of(ErrorCode::InUse)).code(), ErrorCode::InUse);
    const auto foreign = to_error(std::make_exception_ptr(std::logic_error{"secret details"}));
    EXPECT_EQ(foreign.code(), ErrorCode::Internal);
    EXPECT_EQ(std::string{foreign.what()}.find("secret"), std::string::npos);
    EXPECT_EQ(to_error(std::make_exception_ptr(7)).code(), ErrorCode::Internal);
}

TEST(ToErrorTest, TellsAFullDiskInWhateverFormItComes)
{
    const auto of = [](int problem) {
        return to_error(std::make_exception_ptr(
            std::filesystem::filesystem_error{"can't copy", std::error_code{problem, std::generic_category()}}));
    };
    EXPECT_EQ(of(ENOSPC).code(), ErrorCode::NoSpace);
    EXPECT_EQ(of(EDQUOT).code(), ErrorCode::NoSpace);
    EXPECT_EQ(of(EACCES).code(), ErrorCode::Failed);
}

}  // namespace
}  // namespace banger::agent
