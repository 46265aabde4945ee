// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/journal.hpp"

#include "broker/core/record_text.hpp"
#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

SandboxRecord record_of(const SandboxKey& key)
{
    return {.key = key, .user = "alice", .base_digest = digest, .cow_limit = gib, .slot = 3};
}

class JournalTest : public ::testing::Test {
protected:
    FakeKernel kernel;
    Journal journal{kernel.records()};
    const SandboxKey box = key_of(alice, "box");
};

TEST_F(JournalTest, WhatWasSavedIsReadByTheNextBroker)
{
    journal.save(record_of(box));
    Journal next{kernel.records()};
    EXPECT_THAT(next.load(), IsEmpty());
    ASSERT_NE(next.find(box), nullptr);
    EXPECT_EQ(record_text(*next.find(box)), record_text(record_of(box)));
    EXPECT_EQ(next.find(key_of(bob, "box")), nullptr);
}

TEST_F(JournalTest, ASaveThatFailsHasChangedNothing)
{
    journal.save(record_of(box));
    auto changed = record_of(box);
    changed.phase = Phase::Running;
    kernel.fail_at(1, ErrorCode::NoSpace);
    EXPECT_EQ(error_of([&] { journal.save(changed); }), ErrorCode::NoSpace);
    EXPECT_EQ(journal.find(box)->phase, Phase::Stopped);
}

TEST_F(JournalTest, ARemovalThatFailsHasChangedNothing)
{
    journal.save(record_of(box));
    kernel.fail_at(1, ErrorCode::Failed);
    EXPECT_EQ(error_of([&] { journal.remove(box); }), ErrorCode::Failed);
    EXPECT_NE(journal.find(box), nullptr);
    kernel.revive();
    journal.remove(box);
    EXPECT_EQ(journal.find(box), nullptr);
    EXPECT_THAT(kernel.texts, IsEmpty());
}

TEST_F(JournalTest, ADamagedRecordIsToldAndKeptAndItsKeyIsKnown)
{
    kernel.texts["1000-box.toml"] = "version = 1\nuid = 1000\n";
    kernel.texts["1001-box.toml"] = record_text(record_of(key_of(bob, "box")));
    EXPECT_THAT(journal.load(), ElementsAre(HasSubstr("1000-box.toml")));
    EXPECT_TRUE(journal.is_damaged(box));
    EXPECT_FALSE(journal.is_damaged(key_of(bob, "box")));
    EXPECT_THAT(journal.records(), SizeIs(1));
    EXPECT_THAT(kernel.texts, SizeIs(2));
}

TEST_F(JournalTest, ARecordUnderAnothersNameIsDamaged)
{
    kernel.texts["1000-box.toml"] = record_text(record_of(key_of(bob, "box")));
    EXPECT_THAT(journal.load(), ElementsAre(HasSubstr("another sandbox's record")));
    EXPECT_TRUE(journal.is_damaged(box));
    EXPECT_THAT(journal.records(), IsEmpty());
}

TEST_F(JournalTest, FilesThatAreNoRecordsAreTold)
{
    for (const auto* name : {"README", "1000-box.toml.damaged", ".toml", "x-box.toml"}) {
        kernel.texts[name] = record_text(record_of(box));
    }
    EXPECT_THAT(journal.load(), SizeIs(4));
    EXPECT_THAT(journal.records(), IsEmpty());
}

TEST_F(JournalTest, ALaterVersionsRecordIsLeftAlone)
{
    auto text = record_text(record_of(box));
    text.replace(text.find("version = 1"), 11, "version = 2");
    kernel.texts["1000-box.toml"] = text;
    EXPECT_THAT(journal.load(), ElementsAre(HasSubstr("version")));
    EXPECT_TRUE(journal.is_damaged(box));
}

}  // namespace
}  // namespace banger::broker::test
