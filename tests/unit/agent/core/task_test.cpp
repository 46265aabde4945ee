// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/task.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <string>
#include <thread>

namespace banger::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

class TaskTest : public ::testing::Test {
protected:
    /// Runs the loop until `done` is called, five seconds at most.
    void run()
    {
        const auto late = loop.after(5s, [this] {
            ADD_FAILURE() << "the task did not end";
            loop.quit(1);
        });
        loop.run();
    }
    std::function<void(std::exception_ptr)> quits()
    {
        return [this](std::exception_ptr failure) {
            ended = true;
            error = failure;
            loop.post([this] { loop.quit(0); });
        };
    }
    std::string what() const
    {
        try {
            if (error) {
                std::rethrow_exception(error);
            }
        } catch (const std::exception& exception) {
            return exception.what();
        }
        return "";
    }

    EventLoop loop;
    Lane lane{2};
    bool ended{false};
    std::exception_ptr error;
    std::vector<std::string> order;
};

Error late() { return Error{ErrorCode::TimedOut, "late"}; }

Task<int> give(int value) { co_return value; }
Task<int> add(int a, int b) { co_return co_await give(a) + co_await give(b); }
Task<void> fail(const char* text)
{
    throw Error{ErrorCode::Failed, text};
    co_return;
}

TEST_F(TaskTest, ValuesComeBackThroughSeveralTasks)
{
    int sum = 0;
    const auto work = [](int* to) -> Task<void> { *to = co_await add(2, 3); };
    spawn(work(&sum), quits());
    EXPECT_TRUE(ended) << "nothing was waited for";
    EXPECT_EQ(sum, 5);
}

TEST_F(TaskTest, ATaskThatNobodyStartsDoesNothing)
{
    const auto work = [](bool* ran) -> Task<void> {
        *ran = true;
        co_return;
    };
    bool ran = false;
    {
        const auto unused = work(&ran);
    }
    EXPECT_FALSE(ran);
}

TEST_F(TaskTest, ExceptionsComeOutWhereTheyAreAwaited)
{
    const auto work = [](std::vector<std::string>* said) -> Task<void> {
        try {
            co_await fail("inner");
        } catch (const Error& caught) {
            said->push_back(caught.what());
        }
        co_await fail("outer");
    };
    spawn(work(&order), quits());
    EXPECT_THAT(order, ElementsAre("inner"));
    EXPECT_EQ(what(), "outer");
}

TEST_F(TaskTest, AFailureThatNobodyAskedForEndsNothingElse)
{
    spawn(fail("unheard"));
    SUCCEED();
}

TEST_F(TaskTest, ABegunTaskGoesOnBesideOthersAndIsWaitedForLater)
{
    const auto slow = [](Promise<Unit> gate, std::vector<std::string>* to) -> Task<void> {
        to->push_back("begun");
        co_await gate.wait();
        to->push_back("ended");
    };
    const auto work = [](Promise<Unit> begun, std::vector<std::string>* to) -> Task<void> {
        to->push_back("beside");
        co_await begun.wait();
        to->push_back("waited");
    };
    const Promise<Unit> gate;
    spawn(work(begin_task(slow(gate, &order)), &order), quits());
    EXPECT_THAT(order, ElementsAre("begun", "beside"));
    gate.set(Unit{});
    EXPECT_THAT(order, ElementsAre("begun", "beside", "ended", "waited"));
    EXPECT_TRUE(ended);
}

TEST_F(TaskTest, ABegunTasksFailureIsItsWaiters)
{
    const auto work = [](Promise<Unit> begun) -> Task<void> { co_await begun.wait(); };
    spawn(work(begin_task(fail("late"))), quits());
    EXPECT_EQ(what(), "late");
    begin_task(fail("unheard"));
}

TEST_F(TaskTest, LocalsGoInReverseOrderAlsoWhenATaskFails)
{
    struct Note {
        std::vector<std::string>* to;
        const char* name;
        ~Note() { to->push_back(name); }
    };
    const auto work = [](std::vector<std::string>* to, Promise<Unit> gate) -> Task<void> {
        const Note first{to, "first"};
        const Note second{to, "second"};
        co_await gate.wait();
        co_await fail("gone");
    };
    const Promise<Unit> gate;
    spawn(work(&order, gate), quits());
    EXPECT_TRUE(order.empty());
    gate.set(Unit{});
    EXPECT_THAT(order, ElementsAre("second", "first"));
    EXPECT_EQ(what(), "gone");
}

TEST_F(TaskTest, APromiseSetBeforeItIsAwaitedKeepsItsValue)
{
    const Promise<std::string> promise;
    promise.set("early");
    promise.set("second");
    const auto work = [](Promise<std::string> from, std::vector<std::string>* to) -> Task<void> {
        to->push_back(co_await from.wait());
    };
    spawn(work(promise, &order), quits());
    EXPECT_THAT(order, ElementsAre("early"));
}

TEST_F(TaskTest, AWaitThatIsLateFailsAndThePromiseStaysOpen)
{
    const Promise<std::string> promise;
    const auto work = [](EventLoop* on, Promise<std::string> from, std::vector<std::string>* to) -> Task<void> {
        for (int i = 0; i < 2; ++i) {
            try {
                to->push_back(co_await from.wait(*on, 10ms, late()));
            } catch (const Error& caught) {
                to->push_back(caught.what());
            }
        }
        on->post([from] { from.set("at last"); });
        to->push_back(co_await from.wait(*on, 5s, late()));
    };
    spawn(work(&loop, promise, &order), quits());
    run();
    EXPECT_THAT(order, ElementsAre("late", "late", "at last"));
}

TEST_F(TaskTest, AWaitInTimeLeavesNoTimerBehind)
{
    const Promise<Unit> promise;
    const auto work = [](EventLoop* on, Promise<Unit> first, std::vector<std::string>* to) -> Task<void> {
        co_await first.wait(*on, 30ms, late());
        const Promise<Unit> second;
        try {
            co_await second.wait(*on, 100ms, late());
        } catch (const Error&) {
            to->push_back("the second was late, as it should");
        }
    };
    loop.post([promise] { promise.set(Unit{}); });
    spawn(work(&loop, promise, &order), quits());
    run();
    EXPECT_EQ(order.size(), 1U);
}

TEST_F(TaskTest, ZeroMeansNoLimit)
{
    const Promise<Unit> promise;
    const auto work = [](EventLoop* on, Promise<Unit> gate) -> Task<void> { co_await gate.wait(*on, 0ms, late()); };
    spawn(work(&loop, promise), quits());
    const auto then = loop.after(50ms, [promise] { promise.set(Unit{}); });
    run();
    EXPECT_FALSE(error);
}

TEST_F(TaskTest, AnEventWakesAllWhoWaitAndAllWhoComeLater)
{
    const Event event;
    int woken = 0;
    const auto work = [](Event on, int* count) -> Task<void> {
        co_await on.wait();
        ++*count;
    };
    for (int i = 0; i < 3; ++i) {
        spawn(work(event, &woken));
    }
    EXPECT_EQ(woken, 0);
    event.set();
    EXPECT_EQ(woken, 3);
    spawn(work(event, &woken));
    event.set();
    EXPECT_EQ(woken, 4);
}

TEST_F(TaskTest, OneLateWaiterOfAnEventTakesNothingFromTheOthers)
{
    const Event event;
    const auto patient = [](Event on, std::vector<std::string>* to) -> Task<void> {
        co_await on.wait();
        to->push_back("patient");
    };
    const auto hasty = [](EventLoop* of, Event on, std::vector<std::string>* to) -> Task<void> {
        try {
            co_await on.wait(*of, 10ms, late());
        } catch (const Error&) {
            to->push_back("late");
        }
        of->post([on] { on.set(); });
        co_await on.wait(*of, 5s, late());
        to->push_back("then");
    };
    spawn(patient(event, &order));
    spawn(hasty(&loop, event, &order), quits());
    run();
    EXPECT_THAT(order, ElementsAre("late", "patient", "then"));
}

TEST_F(TaskTest, WorkRunsOnTheLaneAndComesBackToTheLoop)
{
    const auto here = std::this_thread::get_id();
    std::thread::id there;
    std::thread::id back;
    const auto work = [](EventLoop* on, Lane* with, std::thread::id* ran, std::thread::id* after) -> Task<void> {
        auto job = [text = std::string(100, 'x')] { return std::pair{std::this_thread::get_id(), text.size()}; };
        const auto [id, size] = co_await run_on(*on, *with, std::move(job));
        EXPECT_EQ(size, 100U);
        *ran = id;
        *after = std::this_thread::get_id();
    };
    spawn(work(&loop, &lane, &there, &back), quits());
    run();
    EXPECT_NE(there, here);
    EXPECT_EQ(back, here);
}

TEST_F(TaskTest, WorkThatThrowsThrowsOnTheLoop)
{
    const auto work = [](EventLoop* on, Lane* with) -> Task<void> {
        auto job = [] { throw Error{ErrorCode::NoSpace, "full"}; };
        co_await run_on(*on, *with, std::move(job));
    };
    spawn(work(&loop, &lane), quits());
    run();
    EXPECT_EQ(what(), "full");
}

TEST_F(TaskTest, AFullLaneRefusesWork)
{
    Lane tiny{1, 1};
    std::latch busy{1};
    std::latch go_on{1};
    ASSERT_TRUE(tiny.submit([&] {
        busy.count_down();
        go_on.wait();
    }));
    busy.wait();
    ASSERT_TRUE(tiny.submit([] {}));
    const auto work = [](EventLoop* on, Lane* with) -> Task<void> {
        auto job = [] {};
        co_await run_on(*on, *with, std::move(job));
    };
    spawn(work(&loop, &tiny), quits());
    EXPECT_TRUE(ended);
    EXPECT_NE(what().find("too much to do"), std::string::npos);
    go_on.count_down();
}

Task<void> locked_step(TaskMutex* mutex, Promise<Unit> gate, std::vector<std::string>* to, std::string name)
{
    const auto guard = co_await mutex->lock();
    to->push_back(name + " in");
    co_await gate.wait();
    to->push_back(name + " out");
}

TEST_F(TaskTest, AMutexLetsTasksInOneByOneInTurn)
{
    TaskMutex mutex;
    const Promise<Unit> first;
    const Promise<Unit> others;
    others.set(Unit{});
    spawn(locked_step(&mutex, first, &order, "a"));
    spawn(locked_step(&mutex, others, &order, "b"));
    spawn(locked_step(&mutex, others, &order, "c"));
    EXPECT_THAT(order, ElementsAre("a in"));
    first.set(Unit{});
    EXPECT_THAT(order, ElementsAre("a in", "a out", "b in", "b out", "c in", "c out"));
    EXPECT_FALSE(mutex.is_locked());
}

TEST_F(TaskTest, AMutexIsFreedByATaskThatFails)
{
    TaskMutex mutex;
    const auto work = [](TaskMutex* of) -> Task<void> {
        const auto guard = co_await of->lock();
        co_await fail("inside");
    };
    spawn(work(&mutex), quits());
    EXPECT_FALSE(mutex.is_locked());
}

TEST_F(TaskTest, ThousandsMayQueueForAMutex)
{
    TaskMutex mutex;
    const Promise<Unit> gate;
    const Promise<Unit> open;
    open.set(Unit{});
    spawn(locked_step(&mutex, gate, &order, "x"));
    for (int i = 0; i < 5000; ++i) {
        spawn(locked_step(&mutex, open, &order, "x"));
    }
    gate.set(Unit{});
    EXPECT_TRUE(mutex.is_locked() || order.size() == 10002U);
    const auto end = loop.after(200ms, [this] { loop.quit(0); });
    loop.run();
    EXPECT_EQ(order.size(), 10002U);
}

}  // namespace
}  // namespace banger::agent
