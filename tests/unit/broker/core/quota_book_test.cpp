// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/quota_book.hpp"

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

using ::testing::HasSubstr;

class QuotaBookTest : public ::testing::Test {
protected:
    QuotaBookTest()
    {
        config.user = {.sandboxes = 2, .bytes = 100 * mib, .calls = 1};
        config.all = {.sandboxes = 3, .bytes = 150 * mib, .calls = 1};
    }
    std::optional<ErrorCode> check(uid_t uid, Usage more)
    {
        return error_of([&] { quota.check(uid, more); });
    }
    void add(const SandboxKey& key, ByteSize size)
    {
        journal.save({.key = key, .user = "u", .base_digest = digest, .cow_limit = gib, .slot = 0});
        quota.set_allocated(key, size);
    }
    FakeKernel kernel;
    BrokerConfig config;
    Journal journal{kernel.records()};
    QuotaBook quota{config, journal};
};

TEST_F(QuotaBookTest, R16ExactlyTheLimitIsAllowedAndAByteMoreIsNot)
{
    add(key_of(alice, "a"), 60 * mib);
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = 40 * mib}), std::nullopt);
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = ByteSize{(40 * mib).bytes() + 1}}), ErrorCode::QuotaExceeded);
    add(key_of(alice, "b"), 40 * mib);
    EXPECT_EQ(check(alice, {.sandboxes = 0, .bytes = ByteSize{1}}), ErrorCode::QuotaExceeded);
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = {}}), ErrorCode::QuotaExceeded);
    EXPECT_EQ(check(alice, {}), std::nullopt);
}

TEST_F(QuotaBookTest, R16AllTogetherHaveALimitToo)
{
    add(key_of(alice, "a"), 100 * mib);
    EXPECT_EQ(check(bob, {.sandboxes = 1, .bytes = 51 * mib}), ErrorCode::QuotaExceeded);
    EXPECT_EQ(check(bob, {.sandboxes = 1, .bytes = 50 * mib}), std::nullopt);
    add(key_of(bob, "a"), {});
    add(key_of(bob, "b"), {});
    EXPECT_EQ(check(1002, {.sandboxes = 1, .bytes = {}}), ErrorCode::QuotaExceeded);
}

TEST_F(QuotaBookTest, R16AWishThatOverflowsIsRefused)
{
    add(key_of(alice, "a"), 1 * mib);
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = ByteSize{UINT64_MAX}}), ErrorCode::QuotaExceeded);
}

TEST_F(QuotaBookTest, R16ALimitThatWasLoweredAllowsNothingMore)
{
    add(key_of(alice, "a"), 90 * mib);
    config.user.bytes = 10 * mib;
    config.user.sandboxes = 0;
    EXPECT_EQ(check(alice, {.sandboxes = 0, .bytes = ByteSize{1}}), ErrorCode::QuotaExceeded);
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = {}}), ErrorCode::QuotaExceeded);
}

TEST_F(QuotaBookTest, R23TheRefusalTellsNothingOfOthers)
{
    add(key_of(bob, "secret"), 100 * mib);
    try {
        quota.check(alice, {.sandboxes = 1, .bytes = 60 * mib});
        ADD_FAILURE();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), ::testing::Not(::testing::AnyOf(HasSubstr("secret"), HasSubstr("1001"))));
        EXPECT_THAT(error.what(), HasSubstr("/etc/banger/broker.toml"));
    }
}

TEST_F(QuotaBookTest, AFileThatIsGoneCountsNoMore)
{
    add(key_of(alice, "a"), 100 * mib);
    quota.set_allocated(key_of(alice, "a"), {});
    EXPECT_EQ(check(alice, {.sandboxes = 1, .bytes = 100 * mib}), std::nullopt);
    EXPECT_EQ(quota.allocated(key_of(alice, "a")), ByteSize{});
}

}  // namespace
}  // namespace banger::broker::test
