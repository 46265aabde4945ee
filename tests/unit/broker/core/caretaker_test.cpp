// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/caretaker.hpp"

#include "broker/core/growth.hpp"
#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CaretakerTest : public BrokerTest {
protected:
    Caretaker::Round round() { return broker->caretaker.look_after(); }
    ByteSize allocated(const SandboxKey& key) { return broker->quota.allocated(key); }
    ByteSize device_size(const SandboxKey& key) { return kernel.loop_size(kernel.node(key)->cow); }
};

TEST_F(CaretakerTest, NothingRunsAndItNeedNotLookAgain)
{
    create(box);
    EXPECT_EQ(round().next, std::nullopt);
}

TEST_F(CaretakerTest, AFileWithRoomEnoughStaysAsItIs)
{
    run(box);
    const auto before = kernel.describe();
    const auto calm = round();
    EXPECT_THAT(calm.changed, IsEmpty());
    EXPECT_EQ(kernel.describe(), before);
    EXPECT_TRUE(calm.next);
}

TEST_F(CaretakerTest, AFileIsLengthenedBeforeItIsFullAndItsSnapshotKnows)
{
    run(box);
    kernel.fill(box, 100 * mib);
    EXPECT_THAT(round().problems, IsEmpty());
    EXPECT_EQ(allocated(box), 512 * mib);
    EXPECT_EQ(device_size(box), 512 * mib);
    EXPECT_EQ(kernel.files.at("banger-1000-box").size, 512 * mib);
}

TEST_F(CaretakerTest, AFileNeverGrowsBeyondItsLimit)
{
    create(box, 300 * mib);
    start(box);
    kernel.fill(box, 200 * mib);
    round();
    EXPECT_EQ(allocated(box), 300 * mib);
    kernel.fill(box, 290 * mib);
    round();
    EXPECT_EQ(allocated(box), 300 * mib);
}

TEST_F(CaretakerTest, AFileThatCouldNotBeWrittenIsToldOnceAndOthersGoOn)
{
    run(box);
    run(bobs);
    kernel.node(box)->overflown = true;
    kernel.fill(bobs, 100 * mib);
    const auto told = round();
    EXPECT_THAT(told.changed, ElementsAre(box));
    EXPECT_THAT(told.problems, ElementsAre(HasSubstr("could not be written")));
    EXPECT_STREQ(sandboxes().list(alice).front().state(), "broken");
    EXPECT_EQ(allocated(bobs), 512 * mib);
    const auto later = round();
    EXPECT_THAT(later.changed, IsEmpty());
    EXPECT_THAT(later.problems, IsEmpty());
    kernel.node(box)->held = true;  // by a broker that died meanwhile
    round();
    EXPECT_FALSE(kernel.node(box)->held) << "who waits in it would wait for ever";
    kernel.node(box)->overflown = false;
    sandboxes().stop(box);
}

TEST_F(CaretakerTest, AFullOneIsHeldAndItsOwnerLearnsOfItOnce)
{
    create(box, 256 * mib);
    start(box);
    kernel.fill(box, 250 * mib);
    EXPECT_THAT(round().changed, ElementsAre(box));
    EXPECT_TRUE(kernel.node(box)->held);
    EXPECT_STREQ(sandboxes().list(alice).front().state(), "held");
    EXPECT_THAT(round().changed, IsEmpty());
}

TEST_F(CaretakerTest, AHeldOneGoesOnWhenItsLimitIsRaised)
{
    create(box, 256 * mib);
    start(box);
    kernel.fill(box, 250 * mib);
    round();
    sandboxes().grow(box, 1 * gib);
    EXPECT_THAT(round().changed, ElementsAre(box));
    EXPECT_FALSE(kernel.node(box)->held);
    EXPECT_EQ(device_size(box), 512 * mib);
}

TEST_F(CaretakerTest, AFullDiskHoldsItAndRoomLetsItGoOn)
{
    run(box);
    kernel.free_space = {};
    kernel.fill(box, 200 * mib);
    const auto full = round();
    EXPECT_THAT(full.problems, ElementsAre(HasSubstr("no space")));
    EXPECT_TRUE(kernel.node(box)->held);
    EXPECT_THAT(round().problems, IsEmpty()) << "told once";
    kernel.free_space = 1 * gib;
    round();
    EXPECT_FALSE(kernel.node(box)->held);
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(CaretakerTest, OneThatCanNotGrowIsLookedAtSooner)
{
    run(box);
    const auto calm = round().next;
    kernel.free_space = {};
    kernel.fill(box, 180 * mib);
    EXPECT_LT(round().next, calm);
}

TEST_F(CaretakerTest, AQuotaHoldsOneAndNotTheOtherUsers)
{
    config.user.bytes = 300 * mib;
    restart();
    run(box);
    run(bobs);
    kernel.fill(box, 200 * mib);
    const auto full = round();
    EXPECT_THAT(full.problems, ElementsAre(HasSubstr("limit")));
    EXPECT_TRUE(kernel.node(box)->held);
    EXPECT_FALSE(kernel.node(bobs)->held);
}

TEST_F(CaretakerTest, ADeviceThatCouldNotBeToldOfItsNewLengthIsToldNextTime)
{
    run(box);
    kernel.fill(box, 100 * mib);
    kernel.fail_at(5, ErrorCode::Failed);  // status, cow_of, grow, open, refresh
    EXPECT_THAT(round().problems, SizeIs(1));
    ASSERT_EQ(kernel.fired(), "loops.refresh");
    ASSERT_EQ(device_size(box), 256 * mib);
    kernel.revive();
    EXPECT_THAT(round().problems, IsEmpty());
    EXPECT_EQ(device_size(box), 512 * mib);
}

TEST_F(CaretakerTest, R17ADeviceWhoseBrokerDiedBetweenFileAndDeviceIsToldByTheNext)
{
    run(box);
    kernel.fill(box, 100 * mib);
    kernel.die_at(5);
    EXPECT_THROW(round(), Killed);
    ASSERT_EQ(kernel.fired(), "loops.refresh");
    restart();
    round();
    EXPECT_EQ(device_size(box), 512 * mib);
    kernel.fill(box, 400 * mib);
    round();
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

TEST_F(CaretakerTest, OneWhoseDeviceIsNotToldIsHeldBeforeTheDeviceIsFull)
{
    run(box);
    kernel.fill(box, 200 * mib);
    kernel.fail_at(5, ErrorCode::Failed);
    round();
    EXPECT_TRUE(kernel.node(box)->held) << "56 MiB are left on the device, whatever the file has";
}

TEST_F(CaretakerTest, OneWhoseStatusFailsKeepsTheOthersLookedAfter)
{
    run(box);
    run(bobs);
    kernel.fill(bobs, 100 * mib);
    kernel.fail_at(1, ErrorCode::Failed);
    EXPECT_THAT(round().problems, SizeIs(1));
    EXPECT_EQ(allocated(bobs), 512 * mib);
}

TEST_F(CaretakerTest, AFullTurnFillsALargeDiskAndNeverOverflows)
{
    run(box);
    for (std::uint64_t used = 4; used <= 4096; used += 60) {
        kernel.fill(box, used * mib);
        round();
    }
    EXPECT_EQ(allocated(box), 4 * gib);
    EXPECT_TRUE(kernel.node(box)->held);
    EXPECT_THAT(kernel.faults(), IsEmpty());
}

}  // namespace
}  // namespace banger::broker::test
