// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/activity_watch.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <mutex>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

using namespace std::chrono_literals;

class ActivityWatchTest : public ::testing::Test {
protected:
    ActivityWatch::Calls calls()
    {
        return {[this] {
                    std::error_code none;
                    const auto size = std::filesystem::file_size(file, none);
                    return none ? 0 : size;
                },
                [this](std::uint64_t bytes) {
                    const std::lock_guard lock{mutex};
                    told = bytes;
                    changed.notify_all();
                }};
    }
    void append(std::size_t bytes) const { std::ofstream{file, std::ios::app} << std::string(bytes, 'x'); }
    bool wait_until_told(std::uint64_t bytes)
    {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, 20s, [&] { return told >= bytes; });
    }
    static bool wait_for_stop(const std::stop_token& token)
    {
        std::mutex own;
        std::condition_variable_any stopped;
        std::unique_lock lock{own};
        const std::stop_callback wake{token, [&] { stopped.notify_all(); }};
        return stopped.wait_for(lock, 20s, [&] { return token.stop_requested(); });
    }

    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "blob"};
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t told{0};
};

TEST_F(ActivityWatchTest, BytesThatArriveAreTold)
{
    const ActivityWatch watch{folder.path, calls(), {1h, 1000}, {}};
    append(5000);
    EXPECT_TRUE(wait_until_told(5000));
    append(1);
    EXPECT_TRUE(wait_until_told(5001));
    EXPECT_FALSE(watch.stop_token().stop_requested());
}

TEST_F(ActivityWatchTest, NothingForTooLongIsAStall)
{
    const ActivityWatch watch{folder.path, calls(), {50ms, 1000}, {}};
    EXPECT_TRUE(wait_for_stop(watch.stop_token()));
    EXPECT_TRUE(watch.stalled());
}

TEST_F(ActivityWatchTest, AFewBytesNowAndThenAreAStallAsWell)
{
    const ActivityWatch watch{folder.path, calls(), {400ms, 1'000'000}, {}};
    const auto token = watch.stop_token();
    const auto begin = std::chrono::steady_clock::now();
    while (!token.stop_requested() && std::chrono::steady_clock::now() < begin + 20s) {
        append(1);
        wait_until_told(std::filesystem::file_size(file));
    }
    EXPECT_TRUE(watch.stalled());
}

TEST_F(ActivityWatchTest, AnotherWishForAnEndIsPassedOnAndIsNoStall)
{
    std::stop_source outer;
    const ActivityWatch watch{folder.path, calls(), {1h, 1000}, outer.get_token()};
    outer.request_stop();
    EXPECT_TRUE(watch.stop_token().stop_requested());
    EXPECT_FALSE(watch.stalled());
}

TEST_F(ActivityWatchTest, AFolderThatIsNotThereIsToldAtOnce)
{
    EXPECT_THROW((ActivityWatch{folder.path / "gone", calls(), {1h, 1000}, {}}), Error);
}

}  // namespace
}  // namespace banger::agent
