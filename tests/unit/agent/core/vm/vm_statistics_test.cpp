// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_statistics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

Task<nlohmann::json> at_once(nlohmann::json answer) { co_return answer; }

Task<nlohmann::json> never(Promise<nlohmann::json> promise)
{
    auto answer = co_await promise.wait();
    co_return answer;
}

class VmStatisticsTest : public ::testing::Test {
protected:
    VmPtr running(const std::string& name)
    {
        EXPECT_TRUE(bangerd.create(name).ok());
        return bangerd.vm(name);
    }
    std::vector<VmNumbers> look(std::vector<VmPtr> vms, milliseconds patience = milliseconds{2'000})
    {
        std::vector<VmNumbers> numbers;
        EXPECT_TRUE(bangerd.run(note(&statistics, std::move(vms), patience, &numbers)).ok());
        return numbers;
    }

    World world;
    Bangerd bangerd{world};
    VmStatistics statistics{bangerd.loop, bangerd.disks, [](const ProcessId& process) -> std::optional<ProcessUsage> {
                                return ProcessUsage{7, static_cast<std::uint64_t>(process.pid)};
                            }};

private:
    static Task<void> note(VmStatistics* statistics, std::vector<VmPtr> vms, milliseconds patience,
                           std::vector<VmNumbers>* numbers)
    {
        *numbers = co_await statistics->of(std::move(vms), patience);
    }
};

TEST_F(VmStatisticsTest, WhatTheHostSeesAndWhatTheGuestSaysComeTogether)
{
    const auto vm = running("web");
    bangerd.link("web").statistics = [] { return at_once({{"uptime_ms", 5U}, {"load", 0.25}}); };
    const auto numbers = look({vm});
    ASSERT_EQ(numbers.size(), 1U);
    EXPECT_THAT(numbers[0], Contains(Pair("cpu_ns", 7)));
    EXPECT_THAT(numbers[0], Contains(Pair("resident", vm->record.process.pid)));
    EXPECT_THAT(numbers[0], Contains(Pair("uptime_ms", 5)));
    EXPECT_THAT(numbers[0], Contains(Pair("load_milli", 250)));
    EXPECT_THAT(numbers[0], Contains(Key("sampled_ns")));
}

TEST_F(VmStatisticsTest, AVmThatDoesNotRunHasOnlyItsDisks)
{
    const auto vm = running("web");
    ASSERT_TRUE(bangerd.stop("web").ok());
    const auto numbers = look({vm});
    EXPECT_THAT(numbers[0], Contains(Key("work_host")));
    EXPECT_THAT(numbers[0], Not(Contains(Key("cpu_ns"))));
    EXPECT_THAT(numbers[0], Not(Contains(Key("uptime_ms"))));
}

TEST_F(VmStatisticsTest, AGuestThatHangsKeepsNobodyElsesAndIsNotAskedTwice)
{
    const auto slow = running("slow");
    const auto quick = running("quick");
    const Promise<nlohmann::json> answer;
    int asked = 0;
    bangerd.link("slow").statistics = [&] {
        ++asked;
        return never(answer);
    };
    bangerd.link("quick").statistics = [] { return at_once({{"uptime_ms", 5U}}); };
    for (int i = 0; i < 3; ++i) {
        const auto numbers = look({slow, quick}, milliseconds{20});
        EXPECT_THAT(numbers[0], Not(Contains(Key("uptime_ms"))));
        EXPECT_THAT(numbers[0], Contains(Key("cpu_ns")));
        EXPECT_THAT(numbers[1], Contains(Pair("uptime_ms", 5)));
    }
    EXPECT_EQ(asked, 1);
    answer.set({{"uptime_ms", 9U}});
    bangerd.link("slow").statistics = [] { return at_once({{"uptime_ms", 11U}}); };
    EXPECT_THAT(look({slow, quick})[0], Contains(Pair("uptime_ms", 11)));
}

TEST_F(VmStatisticsTest, AGuestThatFailsHasNoNumbersOfItsOwn)
{
    const auto vm = running("web");  // its link throws
    EXPECT_THAT(look({vm})[0], Not(Contains(Key("uptime_ms"))));
    EXPECT_THAT(look({vm})[0], Contains(Key("cpu_ns")));
}

TEST_F(VmStatisticsTest, WhatAGuestCantHaveIsNotBelieved)
{
    VmSpec spec = running("web")->record.spec;
    spec.memory_mib = 256;
    spec.disk = 1 * gib;
    constexpr auto huge = ~std::uint64_t{0};
    const auto numbers = numbers_of_guest({{"memory_total", huge},
                                           {"memory_available", huge},
                                           {"work_total", huge},
                                           {"work_available", huge},
                                           {"root_total", 5U},
                                           {"root_available", 6U},
                                           {"load", -1.0},
                                           {"uptime_ms", "late"},
                                           {"network_sent", -4}},
                                          spec);
    EXPECT_EQ(numbers.at("memory_total"), (256 * mib).bytes());
    EXPECT_EQ(numbers.at("memory_available"), (256 * mib).bytes());
    EXPECT_EQ(numbers.at("work_total"), gib.bytes());
    EXPECT_EQ(numbers.at("work_available"), gib.bytes());
    EXPECT_EQ(numbers.at("root_available"), 5U);
    EXPECT_EQ(numbers.at("uptime_ms"), 0U);
    EXPECT_EQ(numbers.at("network_sent"), 0U);
    EXPECT_FALSE(numbers.contains("load_milli"));
    EXPECT_EQ(numbers_of_guest({{"load", 1e300}}, spec).at("load_milli"), 1'000'000'000'000U);
}

}  // namespace
}  // namespace banger::agent::test
