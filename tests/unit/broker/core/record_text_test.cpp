// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/record_text.hpp"

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

SandboxRecord whole()
{
    return {.key = key_of(4'294'967'294U, "a-b"),
            .user = "al\"ice\\",
            .base_digest = digest,
            .cow_limit = ByteSize{INT64_MAX},
            .slot = 16383,
            .phase = Phase::Running,
            .network = true,
            .nat = Nat::On,
            .name = "web"};
}

void expect_same(const SandboxRecord& a, const SandboxRecord& b)
{
    EXPECT_EQ(a.key, b.key);
    EXPECT_EQ(a.user, b.user);
    EXPECT_EQ(a.base_digest, b.base_digest);
    EXPECT_EQ(a.cow_limit, b.cow_limit);
    EXPECT_EQ(a.slot, b.slot);
    EXPECT_EQ(a.phase, b.phase);
    EXPECT_EQ(a.network, b.network);
    EXPECT_EQ(a.nat, b.nat);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.left, b.left);
}

TEST(RecordTextTest, EveryRecordIsReadBackAsItWasWritten)
{
    auto record = whole();
    for (const auto phase :
         {Phase::Stopped, Phase::Starting, Phase::Running, Phase::Stopping, Phase::Making, Phase::Destroying}) {
        record.phase = phase;
        record.user += "\t\n\x01\xc3\xa4";
        expect_same(parse_record(record_text(record), "r"), record);
    }
    EXPECT_EQ(record_text(record).find("left"), std::string::npos) << "an earlier version reads it";
    record.left = std::chrono::sys_seconds{std::chrono::seconds{1'700'000'000}};
    expect_same(parse_record(record_text(record), "r"), record);
    const SandboxRecord bare{.key = key_of(0, "-"), .user = "", .base_digest = "", .cow_limit = {}, .slot = 0};
    expect_same(parse_record(record_text(bare), "r"), bare);
}

TEST(RecordTextTest, WhateverIsMissingOrStrangeIsRefused)
{
    const auto text = record_text(whole());
    std::size_t lines = 0;
    for (std::size_t begin = 0; begin < text.size(); ++lines) {
        const auto end = text.find('\n', begin) + 1;
        if (end - begin > 1) {
            const auto without = text.substr(0, begin) + text.substr(end);
            EXPECT_EQ(error_of([&] { parse_record(without, "r"); }), ErrorCode::InvalidArgument) << without;
        }
        begin = end;
    }
    EXPECT_GT(lines, 10U);
    EXPECT_EQ(error_of([&] { parse_record(text + "more = 1\n", "r"); }), ErrorCode::InvalidArgument);
    EXPECT_EQ(error_of([&] { parse_record("", "r"); }), ErrorCode::InvalidArgument);
}

TEST(RecordTextTest, ValuesOutOfTheirShapeAreRefused)
{
    const auto text = record_text(whole());
    const auto with = [&](const std::string& key, const std::string& value) {
        const auto begin = text.find("\n" + key + " = ") + 1;
        return text.substr(0, begin) + key + " = " + value + text.substr(text.find('\n', begin));
    };
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>>{{"uid", "-1"},
                                                                                               {"uid", "4294967295"},
                                                                                               {"uid", "'0'"},
                                                                                               {"id", "'A'"},
                                                                                               {"id", "'../x'"},
                                                                                               {"id", "7"},
                                                                                               {"base_digest", "'ab'"},
                                                                                               {"cow_limit", "-1"},
                                                                                               {"slot", "16384"},
                                                                                               {"slot", "1.0"},
                                                                                               {"phase", "'dead'"},
                                                                                               {"phase", "''"},
                                                                                               {"network", "1"},
                                                                                               {"nat", "'on'"},
                                                                                               {"name", "'A b'"},
                                                                                               {"user", "1"}}) {
        const auto changed = with(key, value);
        EXPECT_EQ(error_of([&] { parse_record(changed, "r"); }), ErrorCode::InvalidArgument) << key << " = " << value;
    }
    EXPECT_NO_THROW(parse_record(with("slot", "5"), "r"));
}

}  // namespace
}  // namespace banger::broker::test
