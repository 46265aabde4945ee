// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/dispatch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DispatchTest : public ::testing::Test {
protected:
    DispatchTest() { json_log::open(file); }
    template <typename Failure>
    static sdbus::Error answer_to(Failure failure)
    {
        try {
            answer("Manager.Test", [&]() -> int { throw failure; });
        } catch (const sdbus::Error& error) {
            return error;
        }
        ADD_FAILURE() << "it was answered";
        return bus::to_bus_error(Error{ErrorCode::Internal, ""});
    }
    std::string log() const
    {
        std::ifstream stream{file};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }

    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "bangerd.log"};
};

TEST_F(DispatchTest, AValueGoesThrough)
{
    EXPECT_EQ(answer("Manager.Test", [] { return 7; }), 7);
}

TEST_F(DispatchTest, AnErrorOfOursKeepsItsNameAndSentenceAndIsNoneOfTheLogs)
{
    const auto error = answer_to(Error{ErrorCode::NotFound, "there is no VM calm-otter"});
    EXPECT_EQ(std::string{error.getName()}, "dev.banger.Error.NotFound");
    EXPECT_EQ(std::string{error.getMessage()}, "there is no VM calm-otter");
    EXPECT_EQ(log(), "");
}

TEST_F(DispatchTest, AForeignExceptionTellsItsDetailToTheLogAlone)
{
    const auto error = answer_to(std::runtime_error{"the password is 1234"});
    EXPECT_EQ(std::string{error.getName()}, "dev.banger.Error.Internal");
    EXPECT_THAT(std::string{error.getMessage()}, Not(HasSubstr("1234")));
    EXPECT_THAT(log(), HasSubstr("Manager.Test: the password is 1234"));
}

TEST_F(DispatchTest, EvenWhatIsNoExceptionIsAnswered)
{
    const auto error = answer_to(42);
    EXPECT_EQ(std::string{error.getName()}, "dev.banger.Error.Internal");
    EXPECT_THAT(log(), HasSubstr("unknown type"));
}

TEST_F(DispatchTest, ABusThatIsGoneIsNoError)
{
    tell_bus([] { throw std::runtime_error{"the connection is closed"}; });
    bool told = false;
    tell_bus([&] { told = true; });
    EXPECT_TRUE(told);
}

}  // namespace
}  // namespace banger::agent
