// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/file_lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace {

bool without_locks = false;

}  // namespace

// As on NFS without its lock service, which no test can set up: the call comes here first.
extern "C" int fcntl(int fd, int command, ...)
{
    va_list words;
    va_start(words, command);
    void* const argument = va_arg(words, void*);
    va_end(words);
    if (without_locks && command == F_SETLK) {
        errno = ENOLCK;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fcntl, fd, command, argument));
}

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

TEST(FileLockTest, AFileSystemWithoutLocksIsNotTakenForAnotherHolder)
{
    const agent::test::TemporaryFolder folder;
    without_locks = true;
    std::string said;
    try {
        lock_file((folder.path / "lock").string(), seconds{1});
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::HostLacks);
        said = error.what();
    }
    without_locks = false;
    EXPECT_THAT(said, ::testing::HasSubstr("NFS"));
}

TEST(FileLockTest, AFileThatCanNotBeOpenedIsTold) { EXPECT_THROW(lock_file("/proc/no/such/lock", seconds{0}), Error); }

}  // namespace
}  // namespace banger
