// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "agent/core/vm/vm_folder.hpp"
#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Brings two disks, as an archive would.
Task<void> fill_with_disks(World* world, std::filesystem::path folder)
{
    const auto fault = world->take("fill");
    co_await world->before_async(fault);
    std::ofstream{folder / vm_folder::root_disk} << "root";
    std::ofstream{folder / vm_folder::work_disk} << "work";
    co_await world->after_async(fault);
}

VmSpec described_vm(Bangerd& bangerd, const std::string& name = "traveller")
{
    auto spec = bangerd.manager->check(bangerd.request(name));
    spec.image_digest = Digest::parse(std::string(64, 'e'));  // an image that is not here
    return spec;
}

Outcome take_in(Bangerd& bangerd, VmSpec spec)
{
    const auto vm = bangerd.manager->reserve(std::move(spec), {});
    FillFolder fill = [world = &bangerd.world](std::filesystem::path folder) {
        return fill_with_disks(world, std::move(folder));
    };
    return bangerd.run(bangerd.manager->take_in(vm, bangerd.operation("import"), std::move(fill)));
}

class VmImportingTest : public ::testing::Test {
protected:
    VmSpec local(const VmSpec& described) { return bangerd.manager->check_import(described, request); }
    std::string import_refusal(const VmSpec& described, ErrorCode code)
    {
        try {
            local(described);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), code) << error.what();
            return error.what();
        }
        return "it was taken";
    }

    World world;
    Bangerd bangerd{world};
    ImportRequest request{.usual_kernel = "debian"};
};

TEST_F(VmImportingTest, AnImportIsAStoppedVmThatStartsWithoutItsImage)
{
    const auto outcome = take_in(bangerd, local(described_vm(bangerd)));
    ASSERT_TRUE(outcome.ok()) << outcome.what();
    EXPECT_EQ(bangerd.state("traveller"), VmState::Stopped);
    EXPECT_EQ(world.rows.begin()->second.state, VmState::Stopped);
    EXPECT_THAT(bangerd.faults(), IsEmpty());
    bangerd.images.missing = true;
    EXPECT_TRUE(bangerd.start("traveller").ok());
    EXPECT_THAT(bangerd.welcomed, IsEmpty()) << "it has its files already";
}

TEST_F(VmImportingTest, WhatOpensThisHostIsShutAndWhatDependsOnAHostIsChosenAnew)
{
    auto spec = described_vm(bangerd);
    spec.loopback = LoopbackPolicy::Allowed;
    spec.autostart = Autostart::On;
    spec.on_stop = StopPolicy::Remove;
    spec.vmm = VmmChoice::Firecracker;
    spec.storage = StorageChoice::DmSnapshot;
    spec.network = NetworkChoice::Tap;
    spec.vcpus = 64;
    const auto here = local(spec);
    EXPECT_EQ(here.loopback, LoopbackPolicy::Shielded);
    EXPECT_EQ(here.autostart, Autostart::Off);
    EXPECT_EQ(here.on_stop, StopPolicy::Keep);
    EXPECT_EQ(here.vmm, VmmChoice::Auto);
    EXPECT_EQ(here.storage, StorageChoice::File);
    EXPECT_EQ(here.network, NetworkChoice::Auto);
    EXPECT_EQ(here.vcpus, 4U) << "all that this host has";
    spec.network = NetworkChoice::None;
    EXPECT_EQ(local(spec).network, NetworkChoice::None) << "what was to have none gets none";
    request.loopback = LoopbackPolicy::Allowed;
    EXPECT_EQ(local(spec).loopback, LoopbackPolicy::Allowed) << "by the user's own word";
}

TEST_F(VmImportingTest, ANameThatIsTakenIsRefusedAndAnotherOneHelps)
{
    ASSERT_TRUE(bangerd.create("calm-otter", AfterCreate::Leave).ok());
    auto spec = described_vm(bangerd);
    spec.name = VmName::parse("calm-otter");
    EXPECT_THAT(import_refusal(spec, ErrorCode::AlreadyExists), HasSubstr("--name"));
    request.name = "second";
    EXPECT_EQ(local(spec).name.str(), "second");
}

TEST_F(VmImportingTest, TheKernelIsTheVeryOneOrTheUsualOneOrTheOneAskedFor)
{
    auto spec = described_vm(bangerd);
    spec.kernel = "other";
    EXPECT_EQ(local(spec).kernel, "debian") << "found by its digest";
    spec.kernel_digest = Digest::parse(std::string(64, 'f'));
    EXPECT_EQ(local(spec).kernel_digest, bangerd.kernels.artifact.digest);
    request.kernel = "no-such";
    EXPECT_THAT(import_refusal(spec, ErrorCode::NotFound), HasSubstr("no-such"));
    request.kernel.reset();
    bangerd.kernels.missing = true;
    EXPECT_THAT(import_refusal(spec, ErrorCode::NotFound), HasSubstr("banger kernel pull"));
}

TEST_F(VmImportingTest, SizesThatNoVmHasAreRefused)
{
    auto spec = described_vm(bangerd);
    spec.memory_mib = 4;
    EXPECT_THAT(import_refusal(spec, ErrorCode::InvalidArgument), HasSubstr("memory"));
    spec = described_vm(bangerd);
    spec.disk = 1 * kib;
    EXPECT_THAT(import_refusal(spec, ErrorCode::InvalidArgument), HasSubstr("disk-size"));
}

TEST_F(VmImportingTest, AFailureAtAnyStepLeavesNothing)
{
    for (const auto* step : {"store.insert", "fill", "disks.sync", "store.update"}) {
        world.arm(step, Fault::Fail);
        EXPECT_FALSE(take_in(bangerd, local(described_vm(bangerd))).ok()) << step;
        EXPECT_EQ(world.fired(), step);
        world.disarm();
        bangerd.settle();
        EXPECT_THAT(bangerd.manager->list(), IsEmpty()) << step;
        EXPECT_THAT(bangerd.faults(), IsEmpty()) << step;
    }
}

TEST(VmImportingKillTest, AKillInTheMiddleLeavesNothingForTheNextBangerd)
{
    for (const auto* step : {"store.insert", "fill", "disks.sync"}) {
        for (const auto fault : {Fault::DieBefore, Fault::DieAfter}) {
            World world;
            {
                const LeaksExpected leaks;
                Bangerd killed{world};
                const auto spec = killed.manager->check_import(described_vm(killed), {.usual_kernel = "debian"});
                world.arm(step, fault);
                EXPECT_FALSE(take_in(killed, spec).ended) << step;
            }
            Bangerd next{world};
            EXPECT_TRUE(next.recover().ok());
            next.settle();
            EXPECT_THAT(next.manager->list(), IsEmpty()) << step;
            EXPECT_THAT(next.faults(), IsEmpty()) << step;
        }
    }
}

}  // namespace
}  // namespace banger::agent::test
