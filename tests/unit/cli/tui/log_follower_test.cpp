// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/log_follower.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "tests/unit/cli/copy/scratch.hpp"

namespace banger::cli::tui {
namespace {

class LogFollowerTest : public testing::Test {
protected:
    void write(const std::string& text) { std::ofstream{folder / "console.log", std::ios::app} << text; }
    std::unique_ptr<LogFollower> follow()
    {
        const auto path = folder / "console.log";
        return std::make_unique<LogFollower>(loop, UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}, path.string(),
                                             [this](std::string_view bytes) { seen += bytes; });
    }
    /// Turns the loop until `end` is what was seen last, or seconds have passed.
    bool sees(const std::string& end)
    {
        const auto late = std::chrono::steady_clock::now() + std::chrono::seconds{5};
        while (!seen.ends_with(end) && std::chrono::steady_clock::now() < late) {
            sd_event_run(loop.get(), 20'000);
        }
        return seen.ends_with(end);
    }

    /// For long enough that what has changed is noticed.
    void turn()
    {
        for (int times = 0; times < 20; ++times) {
            sd_event_run(loop.get(), 20'000);
        }
    }

    ScratchFolder folder;
    EventLoop loop;
    std::string seen;
};

TEST_F(LogFollowerTest, GivesWhatIsThereAndWhatComes)
{
    write("one\n");
    const auto follower = follow();
    EXPECT_EQ(seen, "one\n");
    write("two\n");
    EXPECT_TRUE(sees("two\n"));
    write("three\n");
    EXPECT_TRUE(sees("three\n"));
    EXPECT_EQ(seen, "one\ntwo\nthree\n");
}

TEST_F(LogFollowerTest, OfALotGivesTheEnd)
{
    write(std::string(5 << 20, 'x') + "end\n");
    const auto follower = follow();
    EXPECT_EQ(seen.size(), 64U << 10U);
    write(std::string(5 << 20, 'y') + "last\n");
    EXPECT_TRUE(sees("last\n"));
    EXPECT_LT(seen.size(), 1U << 20U);
}

TEST_F(LogFollowerTest, FollowsALogThatIsReplacedOrEmptied)
{
    write("one\n");
    const auto follower = follow();
    std::filesystem::rename(folder / "console.log", folder / "console.log.1");
    write("new\n");
    EXPECT_TRUE(sees("new\n"));
    std::filesystem::resize_file(folder / "console.log", 0);
    turn();
    write("again\n");
    EXPECT_TRUE(sees("again\n"));
}

TEST_F(LogFollowerTest, ALogWhoseFolderGoesIsNoHarm)
{
    std::filesystem::create_directory(folder / "vm");
    const auto path = folder.path() / "vm" / "console.log";
    std::ofstream{path} << "one\n";
    const LogFollower follower{loop, UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}, path.string(),
                               [this](std::string_view bytes) { seen += bytes; }};
    std::filesystem::remove_all(folder / "vm");
    turn();
    EXPECT_EQ(seen, "one\n");
}

}  // namespace
}  // namespace banger::cli::tui
