// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/block_devices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::guest {
namespace {

using namespace std::chrono_literals;

TEST(BlockDevicesTest, ANodeThatIsThereIsNotWaitedFor)
{
    EXPECT_EQ(BlockDevices{}.wait_for("/dev/null", 0ms), "/dev/null");
}

TEST(BlockDevicesTest, ADiskThatDoesNotComeIsNotFoundAndTheReasonHelps)
{
    for (const char* spec : {"/dev/no-such-disk", "serial=no-such-serial"}) {
        try {
            (void)BlockDevices{}.wait_for(spec, 1ms);
            FAIL() << spec;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::NotFound);
            EXPECT_THAT(error.what(),
                        testing::AllOf(testing::HasSubstr(spec), testing::HasSubstr("/etc/banger/modules")));
        }
    }
}

}  // namespace
}  // namespace banger::guest
