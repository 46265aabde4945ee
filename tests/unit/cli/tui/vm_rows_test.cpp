// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/vm_rows.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

VmRow row_in(const std::string& state, const std::string& id = "1")
{
    VmRow row;
    row.id = id;
    row.name = "vm-" + id;
    row.state = state;
    row.memory_mib = 512;
    return row;
}

Numbers sample(std::uint64_t second, std::uint64_t cpu_ms, std::uint64_t read = 0)
{
    return {{"sampled_ns", second * 1'000'000'000},
            {"cpu_ns", cpu_ms * 1'000'000},
            {"block_read", read},
            {"block_written", 0},
            {"memory_total", 400},
            {"memory_available", 300}};
}

TEST(VmRows, SamplesBecomePercentAndRates)
{
    Sheet<VmRow> vms{before(VmOrder::Name)};
    put_vm(vms, row_in("running"));
    put_numbers(vms, "1", sample(10, 1000));
    EXPECT_FALSE(vms.find("1")->usage.cpu.last().has_value()) << "one sample is no rate";
    put_numbers(vms, "1", sample(12, 2000, 4096));
    EXPECT_EQ(vms.find("1")->usage.cpu.last(), 50);
    EXPECT_EQ(vms.find("1")->usage.memory.last(), 25);
    EXPECT_EQ(vms.find("1")->usage.disk.last(), 2048);
}

TEST(VmRows, AGuestThatSaysNothingHasTheMemoryOfItsVmm)
{
    Sheet<VmRow> vms{before(VmOrder::Name)};
    put_vm(vms, row_in("running"));
    put_numbers(vms, "1", {{"resident", std::uint64_t{128} << 20U}});
    EXPECT_EQ(vms.find("1")->usage.memory.last(), 25);
    put_numbers(vms, "1", {{"memory_total", 100}, {"memory_available", 500}});
    EXPECT_FALSE(vms.find("1")->usage.memory.last().has_value()) << "more free than there is";
}

TEST(VmRows, UsageStaysWhileAVmRunsAndGoesWithItsGuest)
{
    Sheet<VmRow> vms{before(VmOrder::Name)};
    put_vms(vms, {row_in("running")});
    put_numbers(vms, "1", sample(10, 1000));
    put_vms(vms, {row_in("running"), row_in("stopped", "2")});
    put_vm(vms, row_in("running"));
    EXPECT_FALSE(vms.find("1")->usage.memory.empty());
    EXPECT_TRUE(set_state(vms, "1", "stopped"));
    EXPECT_TRUE(vms.find("1")->usage.memory.empty());
    put_numbers(vms, "1", sample(12, 2000));
    EXPECT_TRUE(vms.find("1")->usage.memory.empty()) << "an answer that came late";
    EXPECT_FALSE(set_state(vms, "no-such", "running"));
    put_numbers(vms, "no-such", sample(12, 2000));
}

TEST(VmRows, OrdersPutWhatMattersFirst)
{
    Sheet<VmRow> vms{before(VmOrder::State)};
    auto newest = row_in("running", "3");
    newest.created = 99;
    put_vms(vms, {row_in("stopped", "1"), row_in("failed", "2"), newest});
    const auto ids = [&vms] {
        std::string all;
        for (const auto* vm : vms.shown()) {
            all += vm->id;
        }
        return all;
    };
    EXPECT_EQ(ids(), "231");
    vms.set_order(before(VmOrder::Newest));
    EXPECT_EQ(ids(), "312");
    vms.set_order(before(VmOrder::Name));
    EXPECT_EQ(ids(), "123");
}

}  // namespace
}  // namespace banger::cli::tui
