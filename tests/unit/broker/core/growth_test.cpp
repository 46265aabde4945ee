// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/growth.hpp"

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using growth::target;
using std::chrono::milliseconds;

TEST(GrowthTest, AFileIsLongerByAStepWhenItsRoomIsLow)
{
    EXPECT_EQ(target(64 * mib, 256 * mib, 1 * gib), 256 * mib);
    EXPECT_EQ(target(65 * mib, 256 * mib, 1 * gib), 512 * mib);
    EXPECT_EQ(target(256 * mib, 256 * mib, 1 * gib), 512 * mib);
    EXPECT_EQ(target(300 * mib, 256 * mib, 1 * gib), 512 * mib) << "more used than there is";
}

TEST(GrowthTest, AFileIsNeverLongerThanItsLimit)
{
    EXPECT_EQ(target(200 * mib, 256 * mib, 300 * mib), 300 * mib);
    EXPECT_EQ(target(300 * mib, 300 * mib, 300 * mib), 300 * mib);
    EXPECT_EQ(target(0 * mib, 512 * mib, 256 * mib), 512 * mib) << "nor made shorter";
}

TEST(GrowthTest, ALookComesBeforeTheRoomCanBeFull)
{
    EXPECT_EQ(growth::look_again_in({}), milliseconds{20});
    EXPECT_EQ(growth::look_again_in(64 * mib), milliseconds{62});
    EXPECT_EQ(growth::look_again_in(100 * gib), milliseconds{500});
}

TEST(GrowthTest, AnOwnerLearnsOfALimitThatIsNear)
{
    EXPECT_FALSE(growth::is_nearly_full(0 * mib, 16 * mib));
    EXPECT_TRUE(growth::is_nearly_full(13 * mib, 16 * mib));
    EXPECT_FALSE(growth::is_nearly_full(3 * gib, 4 * gib));
    EXPECT_TRUE(growth::is_nearly_full(3700 * mib, 4 * gib));
    EXPECT_TRUE(growth::is_nearly_full(5 * gib, 4 * gib));
}

}  // namespace
}  // namespace banger::broker::test
