// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ports/process_host.hpp"

namespace banger::agent {
namespace {

TEST(ProcessUsageTest, IsWhatAProcessHasUsed)
{
    const auto usage = process_usage({::getpid(), 1, {}});
    ASSERT_TRUE(usage);
    EXPECT_GT(usage->cpu_ns, 0U);
    EXPECT_GT(usage->resident_bytes, std::uint64_t{1} << 20U);
    EXPECT_LT(usage->resident_bytes, std::uint64_t{1} << 40U);
    EXPECT_EQ(usage->resident_bytes % static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), 0U);
}

TEST(ProcessUsageTest, IsNoneOfOneThatHasEnded)
{
    EXPECT_FALSE(process_usage({}));
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(process_usage({child, 1, {}}));
}

}  // namespace
}  // namespace banger::agent
