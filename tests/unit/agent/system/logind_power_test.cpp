// SPDX-License-Identifier: GPL-2.0-or-later
// Over a real bus of the test's own, with a stand-in for logind at its other end, and strangers.
#include "agent/system/logind_power.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <login1_adaptor.hpp>

#include "agent/system/private_bus.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/silent_bus.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto logind_bus_name = "org.freedesktop.login1";

class Login1 final : public sdbus::AdaptorInterfaces<org::freedesktop::login1::Manager_adaptor> {
public:
    Login1(sdbus::IConnection& bus, std::uint64_t delay_us)
        : AdaptorInterfaces{bus, sdbus::ObjectPath{"/org/freedesktop/login1"}}, delay_us_{delay_us}
    {
        registerAdaptor();
    }
    Login1(const Login1&) = delete;
    Login1& operator=(const Login1&) = delete;
    Login1(Login1&&) = delete;
    Login1& operator=(Login1&&) = delete;
    ~Login1() { unregisterAdaptor(); }

    /// A signal to whoever has this unique name.
    void send(const std::string& to, const char* member, bool start)
    {
        bus::emit_to(getObject(), to, "org.freedesktop.login1.Manager", member, start);
    }

    UniqueFd theirs;  ///< its end of the last inhibitor
    std::vector<std::string> asked;
    bool refuses{false};

private:
    sdbus::UnixFd Inhibit(const std::string& what, const std::string& who, const std::string& why,
                          const std::string& mode) override
    {
        asked.push_back(what + " " + who + " " + mode + (why.empty() ? " without a reason" : ""));
        if (refuses) {
            throw bus::to_bus_error(Error{ErrorCode::NotAuthorized, "not for you"});
        }
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
            throw bus::to_bus_error(Error{ErrorCode::Internal, "no pipe"});
        }
        theirs = UniqueFd{ends[0]};
        return bus::give_fd(UniqueFd{ends[1]});
    }
    std::uint64_t InhibitDelayMaxUSec() override { return delay_us_; }

    std::uint64_t delay_us_;
};

/// A connection with logind's object, and with its name or without.
struct LogindProcess {
    LogindProcess(EventLoop& loop, bool named, std::uint64_t delay_us = 3'000'000)
        : connection{bus::open_system_bus()}, attachment{*connection, loop, [] {}}, object{*connection, delay_us}
    {
        if (named) {
            bus::request_name(*connection, logind_bus_name);
        }
    }
    std::unique_ptr<sdbus::IConnection> connection;
    bus::LoopAttachment attachment;
    Login1 object;
};

class LogindPowerTest : public test::LoopTest {
protected:
    void SetUp() override
    {
        open_bus();
        ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    }
    void TearDown() override { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
    void open_bus() { bus.emplace(folder.path / "bus"); }
    std::unique_ptr<LogindProcess> serve(std::uint64_t delay_us = 3'000'000)
    {
        return std::make_unique<LogindProcess>(loop, true, delay_us);
    }
    void watch()
    {
        power.watch({.found = [this](milliseconds delay) { seen.push_back("found " + std::to_string(delay.count())); },
                     .lost =
                         [this](const std::string& reason) {
                             seen.emplace_back("lost");
                             why = reason;
                         },
                     .woke = [this] { seen.emplace_back("woke"); },
                     .shutdown_begins = [this] { seen.emplace_back("shutdown"); },
                     .shutdown_called_off = [this] { seen.emplace_back("called off"); }});
    }
    void await(const std::string& event)
    {
        EXPECT_TRUE(drive([&] { return !seen.empty() && seen.back() == event; })) << event;
    }
    /// Straight to each connection, past the match rules that the bus obeys. Unique names count up from the bus's first one.
    static void send_to_everybody(LogindProcess& from, const char* member, bool start)
    {
        constexpr int more_than_there_are = 12;
        for (int number = 0; number < more_than_there_are; ++number) {
            from.object.send(":1." + std::to_string(number), member, start);
        }
    }

    test::TemporaryFolder folder;
    std::optional<PrivateBus> bus;
    std::vector<std::string> seen;
    std::string why;  ///< of the last "lost"
    LogindPower power{loop, milliseconds{2'000}};
};

TEST_F(LogindPowerTest, TellsOfSleepAndShutdown)
{
    const auto logind = serve();
    watch();
    await("found 3000");
    logind->object.emitPrepareForSleep(true);
    logind->object.emitPrepareForSleep(false);
    await("woke");
    logind->object.emitPrepareForShutdown(true);
    await("shutdown");
    logind->object.emitPrepareForShutdown(false);
    await("called off");
    EXPECT_THAT(seen, ElementsAre("found 3000", "woke", "shutdown", "called off"));
}

TEST_F(LogindPowerTest, AShutdownWaitsUntilTheDescriptorIsClosed)
{
    const auto logind = serve();
    watch();
    await("found 3000");
    auto answer = run(power.delay_shutdown("a test"));
    ASSERT_TRUE(answer->value);
    EXPECT_THAT(logind->object.asked, ElementsAre("shutdown banger delay"));
    EXPECT_NE(::fcntl(answer->value->get(), F_GETFD) & FD_CLOEXEC, 0)
        << "a VMM that inherits it would hold the shutdown up";
    char byte{};
    EXPECT_LT(::read(logind->object.theirs.get(), &byte, 1), 0);
    answer->value.reset();
    EXPECT_TRUE(drive([&] { return ::read(logind->object.theirs.get(), &byte, 1) == 0; }));
}

TEST_F(LogindPowerTest, ARefusalIsAnError)
{
    const auto logind = serve();
    logind->object.refuses = true;
    watch();
    await("found 3000");
    const auto answer = run(power.delay_shutdown("a test"));
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::NotAuthorized);
}

TEST_F(LogindPowerTest, WithoutLogindThereIsNobodyToAsk)
{
    watch();
    await("lost");
    const auto answer = run(power.delay_shutdown("a test"));
    ASSERT_TRUE(answer->error);
    EXPECT_EQ(answer->error->code(), ErrorCode::HostLacks);
}

TEST_F(LogindPowerTest, SignalsOfOthersCountForNothing)
{
    const auto logind = serve();
    LogindProcess stranger{loop, false};
    watch();
    await("found 3000");
    send_to_everybody(stranger, "PrepareForSleep", false);
    send_to_everybody(stranger, "PrepareForShutdown", true);
    stranger.object.emitPrepareForSleep(false);
    stranger.object.emitPrepareForShutdown(true);
    let_pass();
    EXPECT_THAT(seen, ElementsAre("found 3000"));
    // The check sees what it looks for: the same, of the one who has the name.
    send_to_everybody(*logind, "PrepareForSleep", false);
    await("woke");
}

TEST_F(LogindPowerTest, OneThatIsStartedAnewIsFollowedAndTheOldOneNoMore)
{
    auto logind = serve();
    watch();
    await("found 3000");
    bus::release_name(*logind->connection, logind_bus_name);
    await("lost");
    logind->object.emitPrepareForShutdown(true);
    const auto next = serve(1'000'000);
    await("found 1000");
    logind->object.emitPrepareForShutdown(true);
    let_pass();
    EXPECT_THAT(seen, ElementsAre("found 3000", "lost", "found 1000"));
    next->object.emitPrepareForSleep(false);
    await("woke");
}

TEST_F(LogindPowerTest, OneThatComesLateIsFound)
{
    watch();
    await("lost");
    const auto logind = serve();
    await("found 3000");
}

TEST_F(LogindPowerTest, AnEndlessDelayIsSomeNumber)
{
    const auto logind = serve(UINT64_MAX);
    watch();
    await("found 3600000");
}

TEST_F(LogindPowerTest, WithoutASystemBusThatIsSaid)
{
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/no/such/bus", 1);
    watch();
    EXPECT_THAT(seen, ElementsAre()) << "not from inside the call";
    await("lost");
    EXPECT_THAT(why, HasSubstr("no system bus"));
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    const auto logind = serve();
    watch();
    await("found 3000");
}

TEST_F(LogindPowerTest, ABusThatTakesAConnectionAndSaysNothingBlocksNobody)
{
    constexpr milliseconds short_turn{500};  // sd-bus waits for 25 s
    auto silent = std::make_unique<test::SilentBus>(folder.path / "silent");
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", silent->address().c_str(), 1);
    EXPECT_LT(longest_turn_until([this] {
                  watch();
                  return !seen.empty();
              }),
              short_turn);
    EXPECT_THAT(why, HasSubstr("gives no answer"));
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    const auto logind = serve();
    silent.reset();
    EXPECT_TRUE(drive([this] {
        watch();
        return seen.back() == "found 3000";
    })) << "another one is found";
}

TEST_F(LogindPowerTest, ALostBusIsToldAndAnotherOneConnectedTo)
{
    watch();
    await("lost");
    seen.clear();
    bus.reset();
    await("lost");
    open_bus();
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus->address().c_str(), 1);
    const auto logind = serve();
    watch();
    await("found 3000");
}

TEST_F(LogindPowerTest, WatchingTwiceIsWatchingOnce)
{
    const auto logind = serve();
    watch();
    watch();
    await("found 3000");
    logind->object.emitPrepareForSleep(false);
    await("woke");
    let_pass();
    EXPECT_THAT(seen, ElementsAre("found 3000", "woke"));
}

}  // namespace
}  // namespace banger::agent
