// SPDX-License-Identifier: GPL-2.0-or-later
// What needs no bus, or one that ends; the rest is in tests/contract.
#include "dbus/compat/bus.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "common/error.hpp"

namespace banger::bus {
namespace {

sdbus::Error bus_error(const std::string& name, const std::string& message = "a sentence")
{
#ifdef BANGER_SDBUS_2
    return sdbus::Error{sdbus::Error::Name{name}, message};
#else
    return sdbus::Error{name, message};
#endif
}

TEST(BusTest, EachErrorComesBackAsWhatItWas)
{
    for (const auto& row : error_table()) {
        const auto back = from_bus_error(to_bus_error(Error{row.code, "a sentence"}));
        EXPECT_EQ(back.code(), row.code);
        EXPECT_STREQ(back.what(), "a sentence");
    }
}

TEST(BusTest, ASentenceThatTheBusWouldNotTakeIsMadeOneThatItDoes)
{
    const auto error = to_bus_error(Error{ErrorCode::Failed, "no \xff file"});
    EXPECT_EQ(std::string{error.getMessage()}, "no ? file");
}

TEST(BusTest, ErrorsOfTheBusItselfBecomeOurs)
{
    const std::string prefix = "org.freedesktop.DBus.Error.";
    for (const auto* gone : {"ServiceUnknown", "NoReply", "Disconnected", "NameHasNoOwner"}) {
        EXPECT_EQ(from_bus_error(bus_error(prefix + gone)).code(), ErrorCode::Unavailable) << gone;
    }
    EXPECT_EQ(from_bus_error(bus_error(prefix + "UnknownObject")).code(), ErrorCode::NotFound);
    EXPECT_EQ(from_bus_error(bus_error(prefix + "AccessDenied")).code(), ErrorCode::Failed);
    EXPECT_EQ(from_bus_error(bus_error("dev.banger.Error.OfALaterVersion")).code(), ErrorCode::Failed);
}

TEST(BusTest, ADescriptorThatIsTakenClosesOnExec)
{
    const int plain = ::open("/dev/null", O_RDONLY);  // NOLINT: as sdbus-c++ hands it over
    ASSERT_GE(plain, 0);
    const auto taken = take_fd(sdbus::UnixFd{plain, sdbus::adopt_fd});
    EXPECT_EQ(taken.get(), plain);
    EXPECT_NE(::fcntl(taken.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(BusTest, ADescriptorThatIsNoneIsRefused)
{
    try {
        take_fd(sdbus::UnixFd{});
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    }
}

TEST(BusTest, ADescriptorOnItsWayOutIsTheSameOne)
{
    UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = fd.get();
    const auto given = give_fd(std::move(fd));
    EXPECT_EQ(given.get(), number);
    EXPECT_FALSE(fd);  // NOLINT: moved from, on purpose
}

/// A bus of the test's own, which it may end.
class EndingBusTest : public ::testing::Test {
protected:
    EndingBusTest()
    {
        const auto close = [](FILE* stream) { ::pclose(stream); };
        const std::unique_ptr<FILE, decltype(close)> said{
            ::popen("exec dbus-daemon --session --nopidfile --fork --print-address=1 --print-pid=1 2>/dev/null", "r"),
            close};
        std::array<char, 512> line{};
        if (said && std::fgets(line.data(), line.size(), said.get()) != nullptr) {
            address = std::string{line.data()}.substr(0, std::strcspn(line.data(), "\n"));
        }
        if (said && std::fgets(line.data(), line.size(), said.get()) != nullptr) {
            daemon = std::atoi(line.data());
        }
    }
    ~EndingBusTest() override { end_bus(); }
    void end_bus()
    {
        if (daemon > 0) {
            ::kill(std::exchange(daemon, 0), SIGKILL);
        }
    }

    std::string address;
    pid_t daemon{0};
};

TEST_F(EndingBusTest, ALostBusIsToldOnceAndTheLoopGoesOn)
{
    if (daemon <= 0) {
        GTEST_SKIP() << "this host has no dbus-daemon";
    }
    EventLoop loop;
    const auto connection = open_bus(address);
    int times = 0;
    const LoopAttachment attachment{*connection, loop, [&times] { ++times; }};
    const auto kill = loop.after(std::chrono::milliseconds{20}, [this] { end_bus(); });
    const auto enough = loop.after(std::chrono::milliseconds{500}, [&loop] { loop.quit(7); });
    EXPECT_EQ(loop.run(), 7) << "who attached it decides what becomes of the loop";
    EXPECT_EQ(times, 1);
}

TEST_F(EndingBusTest, SignalsArriveThroughTheLoop)
{
    if (daemon <= 0) {
        GTEST_SKIP() << "this host has no dbus-daemon";
    }
    EventLoop loop;
    const auto connection = open_bus(address);
    const LoopAttachment attachment{*connection, loop, [&loop] { loop.quit(9); }};
    const auto enough = loop.after(std::chrono::seconds{10}, [&loop] { loop.quit(8); });
    const NameOwner owner{*connection, "dev.banger.Test", [&loop](const std::string& now) {
                              if (!now.empty()) {
                                  loop.quit(0);
                              }
                          }};
    request_name(*connection, "dev.banger.Test");
    EXPECT_EQ(loop.run(), 0);
}

}  // namespace
}  // namespace banger::bus
