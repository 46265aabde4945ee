// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/native_journal.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/unique_fd.hpp"

namespace banger::broker {
namespace {

/// What systemd would write of this descriptor into $JOURNAL_STREAM.
std::string stream_of(int fd)
{
    struct stat facts {};
    EXPECT_EQ(::fstat(fd, &facts), 0);
    return std::to_string(facts.st_dev) + ":" + std::to_string(facts.st_ino);
}

TEST(NativeJournalTest, AStreamIsJournaldsWhenDeviceAndInodeAreThoseThatSystemdNamed)
{
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd reading{ends[0]};
    const UniqueFd writing{ends[1]};
    EXPECT_TRUE(is_journal(writing.get(), stream_of(writing.get()).c_str()));
}

TEST(NativeJournalTest, AStreamThatSomebodyHasPutInItsPlaceIsNot)
{
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const UniqueFd reading{ends[0]};
    const UniqueFd writing{ends[1]};
    const auto of_another = stream_of(STDIN_FILENO);
    EXPECT_FALSE(is_journal(writing.get(), of_another.c_str()));
    for (const char* odd : {"", ":", "1", "no:no", "18446744073709551616:1"}) {
        EXPECT_FALSE(is_journal(writing.get(), odd)) << odd;
    }
}

TEST(NativeJournalTest, WithoutTheVariableOrTheDescriptorThereIsNone)
{
    EXPECT_FALSE(is_journal(STDERR_FILENO, nullptr));
    EXPECT_FALSE(is_journal(-1, "1:1"));
}

}  // namespace
}  // namespace banger::broker
