// SPDX-License-Identifier: GPL-2.0-or-later
// What needs no bus; the rest is in tests/contract.
#include "dbus/compat/bus.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

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

}  // namespace
}  // namespace banger::bus
