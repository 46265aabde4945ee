// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/log_reader.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

class LogReaderTest : public testing::Test {
protected:
    LogReaderTest()
    {
        std::string name = testing::TempDir() + "log-XXXXXX";
        folder = ::mkdtemp(name.data());
        path = folder / "console.log";
    }
    ~LogReaderTest() override { fs::remove_all(folder); }

    void write(const std::string& text, std::ios::openmode mode = std::ios::app) const
    {
        std::ofstream{path, mode} << text;
    }
    UniqueFd open() const { return UniqueFd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}; }
    std::string tail(std::uint64_t lines) const
    {
        std::string read;
        LogReader{open(), path, start_of_tail(open().get(), lines)}.read(
            [&](std::string_view bytes) { read += bytes; });
        return read;
    }

    fs::path folder;
    fs::path path;
};

TEST_F(LogReaderTest, FindsTheLastLines)
{
    write("one\ntwo\nthree\n");
    EXPECT_EQ(tail(0), "");
    EXPECT_EQ(tail(1), "three\n");
    EXPECT_EQ(tail(2), "two\nthree\n");
    EXPECT_EQ(tail(3), "one\ntwo\nthree\n");
    EXPECT_EQ(tail(9), "one\ntwo\nthree\n");
}

TEST_F(LogReaderTest, CountsAnUnfinishedLineAsOne)
{
    write("one\ntwo");
    EXPECT_EQ(tail(1), "two");
}

TEST_F(LogReaderTest, FindsLinesBeyondOneBlock)
{
    const std::string longer(100'000, 'x');
    write("one\n" + longer + "\n" + longer + "\n");
    EXPECT_EQ(tail(2), longer + "\n" + longer + "\n");
}

TEST_F(LogReaderTest, HasNothingOfAnEmptyLog)
{
    write("");
    EXPECT_EQ(tail(5), "");
}

/// Follows in a thread until the folder goes.
class FollowTest : public LogReaderTest {
protected:
    void follow()
    {
        follower = std::thread{[this] {
            LogReader{open(), path, 0}.follow([this](std::string_view bytes) {
                const std::lock_guard lock{mutex};
                seen += bytes;
                changed.notify_all();
            });
        }};
    }
    bool sees(const std::string& text)
    {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, std::chrono::seconds{20}, [&] { return seen.find(text) != std::string::npos; });
    }
    ~FollowTest() override
    {
        fs::remove_all(folder);
        follower.join();
    }

    std::thread follower;
    std::mutex mutex;
    std::condition_variable changed;
    std::string seen;
};

TEST_F(FollowTest, ShowsWhatIsAdded)
{
    write("one\n");
    follow();
    EXPECT_TRUE(sees("one\n"));
    write("two\n");
    EXPECT_TRUE(sees("two\n"));
}

TEST_F(FollowTest, GoesOnAfterTheLogWasEmptied)
{
    write("a long line of before\n");
    follow();
    EXPECT_TRUE(sees("before\n"));
    write("after\n", std::ios::trunc);
    EXPECT_TRUE(sees("after\n"));
}

TEST_F(FollowTest, GoesOnWithTheNewFileAfterTheLogWasRenamed)
{
    write("before\n");
    follow();
    EXPECT_TRUE(sees("before\n"));
    fs::rename(path, folder / "console.log.1");
    write("after\n");
    EXPECT_TRUE(sees("after\n"));
    write("and more\n");
    EXPECT_TRUE(sees("and more\n"));
}

TEST_F(LogReaderTest, GivesTheEndOfWhatIsNewAlone)
{
    write("0123456789");
    std::string read;
    const auto take = [&](std::string_view bytes) { read += bytes; };
    LogReader reader{open(), path, 0};
    reader.read_last(4, take);
    EXPECT_EQ(read, "6789");
    reader.read_last(4, take);
    EXPECT_EQ(read, "6789") << "nothing is new";
    write("abc");
    reader.read_last(4, take);
    EXPECT_EQ(read, "6789abc");
    write("x", std::ios::trunc);
    reader.read_last(4, take);
    EXPECT_EQ(read, "6789abcx") << "it was emptied, and is shorter than what is asked for";
}

}  // namespace
}  // namespace banger::cli
