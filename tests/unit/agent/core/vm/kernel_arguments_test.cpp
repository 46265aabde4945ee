// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/kernel_arguments.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace banger::agent {
namespace {

TEST(KernelArgumentsTest, SayEachThingOnce)
{
    std::istringstream words{kernel_arguments("calm-otter")};
    std::set<std::string> seen;
    for (std::string word; words >> word;) {
        EXPECT_TRUE(seen.insert(word.substr(0, word.find('='))).second) << word << " is there twice";
    }
    for (const auto* key : {"console", "panic", "banger.hostname"}) {
        EXPECT_TRUE(seen.contains(key)) << key;
    }
}

TEST(KernelArgumentsTest, FitIntoTheKernelsCommandLine)
{
    constexpr std::size_t command_line_size = 2048;  // COMMAND_LINE_SIZE of x86, arch/x86/include/asm/setup.h
    EXPECT_LT(kernel_arguments(std::string(63, 'x')).size() + 400, command_line_size);
}

}  // namespace
}  // namespace banger::agent
