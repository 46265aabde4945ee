// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class VmLendingTest : public ::testing::Test {
protected:
    VmRequest temporary()
    {
        auto request = bangerd.request("temporary");
        request.on_stop = StopPolicy::Remove;
        request.home = HomePlace::Image;
        return request;
    }
    Outcome lend(const std::string& name, StopFirst stop, std::optional<ErrorCode> failure = {})
    {
        wanted_failure = failure;
        RootUse use = [this](std::filesystem::path disk) { return take(std::move(disk)); };
        return bangerd.run(lend_to(bangerd.vm(name), stop, std::move(use)));
    }
    Task<void> lend_to(VmPtr vm, StopFirst stop, RootUse use)
    {
        clean = co_await bangerd.manager->lend_root(vm, bangerd.operation(), stop, std::move(use));
    }
    Task<void> take(std::filesystem::path disk)
    {
        lent = disk;
        was_there = std::filesystem::exists(std::filesystem::symlink_status(disk));
        vmms_meanwhile = world.live_processes();
        if (wanted_failure) {
            throw Error{*wanted_failure, "the copy fails, as the test wants"};
        }
        co_return;
    }

    /// When the loop has seen what else has happened.
    Task<void> take_later(std::filesystem::path disk)
    {
        const Promise<Unit> moment;
        const auto timer = bangerd.loop.after(std::chrono::milliseconds{50}, [moment] { moment.set(Unit{}); });
        co_await moment.wait();
        co_await take(std::move(disk));
    }

    World world;
    Bangerd bangerd{world};
    std::optional<ErrorCode> wanted_failure;
    std::filesystem::path lent;
    bool was_there{false};
    bool clean{false};
    std::size_t vmms_meanwhile{99};
};

TEST_F(VmLendingTest, AStoppedVmLendsItsDiskAndStaysAsItWas)
{
    ASSERT_TRUE(bangerd.create("calm-otter", AfterCreate::Leave).ok());
    const auto outcome = lend("calm-otter", StopFirst::No);
    EXPECT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_EQ(lent, bangerd.vm("calm-otter")->folder / vm_folder::root_disk);
    EXPECT_TRUE(was_there);
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmLendingTest, ARunningVmIsRefusedOrStoppedFirst)
{
    ASSERT_TRUE(bangerd.create("calm-otter").ok());
    const auto refused = lend("calm-otter", StopFirst::No);
    EXPECT_EQ(refused.code(), ErrorCode::WrongState);
    EXPECT_THAT(refused.what(), HasSubstr("banger vm stop calm-otter"));
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Running);
    EXPECT_TRUE(lend("calm-otter", StopFirst::Yes).ok());
    EXPECT_EQ(vmms_meanwhile, 0U);
    EXPECT_TRUE(clean);
    EXPECT_EQ(bangerd.state("calm-otter"), VmState::Stopped);
}

TEST_F(VmLendingTest, AVmThatIsRemovedWhenItStopsLendsFirstAndGoesThen)
{
    ASSERT_TRUE(bangerd.create(temporary()).ok());
    EXPECT_TRUE(lend("temporary", StopFirst::Yes).ok());
    EXPECT_TRUE(was_there) << "it was there when its disk was read";
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.vm("temporary") == nullptr; }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmLendingTest, WhatIsInItIsNotLostWithAFailureThatIsNobodysWish)
{
    ASSERT_TRUE(bangerd.create(temporary()).ok());
    const auto outcome = lend("temporary", StopFirst::Yes, ErrorCode::NoSpace);
    EXPECT_EQ(outcome.code(), ErrorCode::NoSpace);
    EXPECT_THAT(outcome.what(), HasSubstr("banger image promote temporary"));
    bangerd.settle();
    ASSERT_NE(bangerd.vm("temporary"), nullptr);
    EXPECT_EQ(bangerd.vm("temporary")->record.spec.on_stop, StopPolicy::Keep);
    EXPECT_EQ(world.rows.begin()->second.spec.on_stop, StopPolicy::Keep);
    EXPECT_TRUE(lend("temporary", StopFirst::No).ok()) << "and so it can be tried again";
    EXPECT_NE(bangerd.vm("temporary"), nullptr);
}

TEST_F(VmLendingTest, ACancelledOneLeavesNothing)
{
    ASSERT_TRUE(bangerd.create(temporary()).ok());
    EXPECT_EQ(lend("temporary", StopFirst::Yes, ErrorCode::Cancelled).code(), ErrorCode::Cancelled);
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.vm("temporary") == nullptr; }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmLendingTest, AClientThatIsGoneWantsNothingKept)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ASSERT_TRUE(bangerd.create(temporary(), AfterCreate::Start, UniqueFd{ends[0]}).ok());
    UniqueFd theirs{ends[1]};
    const auto vm = bangerd.vm("temporary");
    wanted_failure = ErrorCode::NoSpace;
    RootUse use = [this, &theirs](std::filesystem::path disk) {
        theirs.reset();
        return take_later(std::move(disk));
    };
    bangerd.run(lend_to(vm, StopFirst::Yes, std::move(use)));
    EXPECT_TRUE(bangerd.drive([&] { return bangerd.vm("temporary") == nullptr; }));
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmLendingTest, ADiskOfTheBrokersIsThereWhileItIsLent)
{
    world.broker.there = true;
    auto request = bangerd.request("calm-otter");
    request.storage = StorageChoice::DmSnapshot;
    ASSERT_TRUE(bangerd.create(request, AfterCreate::Leave).ok());
    const auto* sandbox = bangerd.sandbox("calm-otter");
    ASSERT_NE(sandbox, nullptr);
    EXPECT_FALSE(sandbox->running);
    bool running_meanwhile = false;
    RootUse use = [&](std::filesystem::path disk) {
        running_meanwhile = bangerd.sandbox("calm-otter")->running;
        return take(std::move(disk));
    };
    EXPECT_TRUE(bangerd.run(lend_to(bangerd.vm("calm-otter"), StopFirst::No, std::move(use))).ok());
    EXPECT_TRUE(running_meanwhile);
    EXPECT_TRUE(was_there);
    EXPECT_FALSE(bangerd.sandbox("calm-otter")->running);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
}

TEST_F(VmLendingTest, AVmThatBecomesAnImageHasItsHomeInItAndNothingOfItsUsers)
{
    ASSERT_TRUE(bangerd.create(temporary()).ok());
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, ::testing::EndsWith(" banger.first-boot=1 banger.work="));
    EXPECT_THAT(bangerd.link("temporary").settings().authorized_keys, IsEmpty());
    EXPECT_THAT(bangerd.welcomed, IsEmpty());
}

TEST_F(VmLendingTest, AFirstBootIsToldAsSuchUntilTheGuestWasReadyOnce)
{
    ASSERT_TRUE(bangerd.create("calm-otter").ok());
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, HasSubstr("banger.first-boot=1"));
    ASSERT_TRUE(bangerd.restart("calm-otter").ok());
    EXPECT_THAT(bangerd.vmm.config->kernel_arguments, Not(HasSubstr("first-boot")));
}

TEST_F(VmLendingTest, AnImageThatIsNotAsItWasTakesNoNewVm)
{
    bangerd.images.damaged = true;
    try {
        bangerd.create("calm-otter");
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    }
    EXPECT_THAT(bangerd.manager->list(), IsEmpty());
}

}  // namespace
}  // namespace banger::agent::test
