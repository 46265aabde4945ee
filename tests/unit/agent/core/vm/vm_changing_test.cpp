// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_folder.hpp"
#include "agent/core/vm/vm_limits.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VmChangingTest : public ::testing::Test {
protected:
    VmChangingTest() { EXPECT_TRUE(bangerd.create("calm-otter", AfterCreate::Leave).ok()); }

    Outcome change(const VmChange& change)
    {
        return bangerd.run(bangerd.manager->change(vm(), bangerd.operation(), change));
    }
    VmPtr vm() { return bangerd.vm("calm-otter"); }
    const VmSpec& spec() { return vm()->record.spec; }
    VmSpec stored() { return world.rows.at(vm()->record.id.str()).spec; }
    nlohmann::json described()
    {
        std::ifstream file{vm()->folder / vm_folder::description};
        return nlohmann::json::parse(file);
    }

    World world;
    Bangerd bangerd{world};
};

TEST_F(VmChangingTest, WhatIsNamedChangesInRowFolderAndMemoryAndTheRestStays)
{
    const auto before = spec();
    ASSERT_TRUE(change({.memory_mib = 1024}).ok());
    for (const auto& one : {spec(), stored(), vm_spec_of(described())}) {
        EXPECT_EQ(one.memory_mib, 1024U);
        EXPECT_EQ(one.vcpus, before.vcpus);
        EXPECT_EQ(one.disk, before.disk);
    }
}

TEST_F(VmChangingTest, ADiskGrowsAndNeverShrinks)
{
    const auto before = spec().disk;
    ASSERT_TRUE(change({.disk = 2 * before.mib() * mib}).ok());
    EXPECT_EQ(stored().disk.bytes(), 2 * before.bytes());
    const auto smaller = change({.disk = before});
    EXPECT_EQ(smaller.code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(smaller.what(), HasSubstr("can't shrink"));
    EXPECT_EQ(stored().disk.bytes(), 2 * before.bytes());
}

TEST_F(VmChangingTest, ADiskOfTheSameSizeIsLeftAlone)
{
    world.arm("disks.grow", Fault::Fail);
    EXPECT_TRUE(change({.disk = spec().disk}).ok());
}

TEST_F(VmChangingTest, ARunningVmIsRefusedAndToldHow)
{
    ASSERT_TRUE(bangerd.start("calm-otter").ok());
    const auto outcome = change({.vcpus = 1});
    EXPECT_EQ(outcome.code(), ErrorCode::WrongState);
    EXPECT_THAT(outcome.what(), HasSubstr("banger vm stop calm-otter"));
}

TEST_F(VmChangingTest, AFailureAtAnyStepChangesNothing)
{
    const auto before = spec();
    for (const auto* step : {"disks.grow", "store.update"}) {
        world.arm(step, Fault::Fail, ErrorCode::NoSpace);
        const auto outcome = change({.memory_mib = 1024, .disk = 32 * gib});
        EXPECT_EQ(outcome.code(), ErrorCode::NoSpace) << step;
        EXPECT_EQ(spec().memory_mib, before.memory_mib) << step;
        EXPECT_EQ(spec().disk, before.disk) << step;
        EXPECT_EQ(stored().disk, before.disk) << step;
        world.disarm();
    }
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    EXPECT_TRUE(change({.memory_mib = 1024, .disk = 32 * gib}).ok()) << "asked again, it works";
}

TEST_F(VmChangingTest, AStartWaitsForAChangeInProgress)
{
    const auto changing = bangerd.begin(bangerd.manager->change(vm(), bangerd.operation(), {.disk = 32 * gib}));
    const auto starting = bangerd.begin(bangerd.manager->start(vm(), bangerd.operation(), default_ready_limit));
    EXPECT_TRUE(bangerd.drive([&] { return changing->ended && starting->ended; }));
    EXPECT_TRUE(changing->ok()) << changing->what();
    EXPECT_TRUE(starting->ok()) << starting->what();
    EXPECT_EQ(stored().disk, 32 * gib);
}

TEST_F(VmChangingTest, AChangeWhileAStartIsOnItsWayIsRefusedAndHarmsNeither)
{
    const auto before = spec();
    const auto starting = bangerd.begin(bangerd.manager->start(vm(), bangerd.operation(), default_ready_limit));
    const auto changing =
        bangerd.begin(bangerd.manager->change(vm(), bangerd.operation(), {.memory_mib = 1024, .disk = 32 * gib}));
    EXPECT_TRUE(bangerd.drive([&] { return changing->ended && starting->ended; }));
    EXPECT_TRUE(starting->ok()) << starting->what();
    EXPECT_EQ(changing->code(), ErrorCode::WrongState);
    EXPECT_THAT(changing->what(), HasSubstr("banger vm stop calm-otter"));
    for (const auto& one : {spec(), stored(), vm_spec_of(described())}) {
        EXPECT_EQ(one.memory_mib, before.memory_mib);
        EXPECT_EQ(one.disk, before.disk);
    }
    EXPECT_EQ(vm()->record.state, VmState::Running);
}

struct Limit {
    std::function<void()> check;
    const char* said;
};

TEST(VmLimitsTest, NameTheValueAndTheRange)
{
    for (const auto& [check, said] :
         {Limit{[] { check_vcpus(0, 4); }, "1 to 4 on this host, not 0"}, Limit{[] { check_vcpus(5, 4); }, "not 5"},
          Limit{[] { check_memory(127); }, "not 127 MiB"}, Limit{[] { check_memory((1U << 20U) + 1); }, "1 TiB"},
          Limit{[] { check_disk(63 * mib); }, "64M to 16T, not 63M"},
          Limit{[] { check_disk(17 * 1024 * gib); }, "not 17T"}}) {
        try {
            check();
            ADD_FAILURE() << said;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr(said));
        }
    }
    check_vcpus(4, 4);
    check_memory(128);
    check_disk(64 * mib);
}

TEST_F(VmChangingTest, ARunningVmIsMarkedAtOnce)
{
    ASSERT_TRUE(bangerd.start("calm-otter").ok());
    ASSERT_TRUE(change({.autostart = Autostart::On}).ok());
    for (const auto& one : {spec(), stored(), vm_spec_of(described())}) {
        EXPECT_EQ(one.autostart, Autostart::On);
    }
    ASSERT_TRUE(change({.memory_mib = {}, .autostart = Autostart::Off}).ok());
    EXPECT_EQ(stored().autostart, Autostart::Off);
}

TEST_F(VmChangingTest, AVmThatGoesWhenItStopsCanNotBeMarked)
{
    auto request = bangerd.request("temporary");
    request.on_stop = StopPolicy::Remove;
    ASSERT_TRUE(bangerd.create(request, AfterCreate::Leave).ok());
    const auto outcome = bangerd.run(
        bangerd.manager->change(bangerd.vm("temporary"), bangerd.operation(), {.autostart = Autostart::On}));
    EXPECT_EQ(outcome.code(), ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::agent::test
