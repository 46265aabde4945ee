// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/file_lock.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger {
namespace {

using std::chrono::seconds;

/// Another process that has the lock until it is told to leave.
class Holder {
public:
    explicit Holder(const std::string& file)
    {
        std::array<int, 2> says{};
        std::array<int, 2> hears{};
        EXPECT_EQ(::pipe(says.data()), 0);
        EXPECT_EQ(::pipe(hears.data()), 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            ::close(hears[1]);
            const auto lock = lock_file(file, seconds{0});
            char byte = lock ? 'y' : 'n';
            byte = ::write(says[1], &byte, 1) == 1 && ::read(hears[0], &byte, 1) >= 0 ? byte : 'x';
            ::_exit(0);
        }
        ::close(says[1]);
        ::close(hears[0]);
        leave_ = UniqueFd{hears[1]};
        const UniqueFd answer{says[0]};
        char byte = 0;
        EXPECT_EQ(::read(answer.get(), &byte, 1), 1);
        EXPECT_EQ(byte, 'y');
    }
    ~Holder()
    {
        leave();
        ::waitpid(pid_, nullptr, 0);
    }
    void leave() { leave_ = {}; }

private:
    pid_t pid_;
    UniqueFd leave_;
};

TEST(FileLockTest, OneProcessAtATimeHasIt)
{
    const agent::test::TemporaryFolder folder;
    const auto file = (folder.path / "lock").string();
    {
        const Holder other{file};
        EXPECT_FALSE(lock_file(file, seconds{0}));
        EXPECT_FALSE(lock_file(file, seconds{1}));
    }
    EXPECT_TRUE(lock_file(file, seconds{0}));
}

TEST(FileLockTest, WhoWaitsHasItWhenTheOtherLeaves)
{
    const agent::test::TemporaryFolder folder;
    const auto file = (folder.path / "lock").string();
    Holder other{file};
    other.leave();
    EXPECT_TRUE(lock_file(file, seconds{30}));
}

TEST(FileLockTest, AFileThatCanNotBeOpenedIsTold) { EXPECT_THROW(lock_file("/proc/no/such/lock", seconds{0}), Error); }

}  // namespace
}  // namespace banger
