// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "guest/wire/cbor.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/guest/guest_host.hpp"
#include "tests/unit/guest/in_namespaces.hpp"

namespace banger::guest::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using wire::RefusedCode;
using Type = wire::StatResult::Type;

class ServerTest : public testing::Test {
protected:
    template <typename Result>
    Result ask(const wire::RequestBody& body)
    {
        const auto id = ++last_id;
        pair.host->request(id, body);
        return answer<Result>(id);
    }
    template <typename Result>
    Result answer(std::uint64_t id)
    {
        if (!pair.wait([&] { return pair.host->response(id) != nullptr; })) {
            ADD_FAILURE() << "no answer to " << id;
            return {};
        }
        const auto* result = std::get_if<Result>(pair.host->response(id));
        EXPECT_NE(result, nullptr) << "another kind of answer, number " << pair.host->response(id)->index();
        return result != nullptr ? *result : Result{};
    }
    wire::StatResult stat(const std::filesystem::path& path)
    {
        return ask<wire::StatResult>(wire::Stat{path.string()});
    }
    wire::Refused refusal(wire::StreamId id)
    {
        EXPECT_TRUE(pair.wait_end(id));
        EXPECT_TRUE(pair.seen(id).refused);
        return pair.seen(id).refused.value_or(wire::Refused{});
    }
    wire::Refused refusal_of(const json& map) { return refusal(pair.host->raw_open(wire::to_bytes(map))); }
    wire::StreamId cat()
    {
        const auto id = pair.host->exec({{"cat"}, {}, "/", "", {}, false, 0});
        EXPECT_TRUE(pair.wait([&] { return pair.seen(id).opened.has_value(); }));
        return id;
    }

    GuestAndHost pair;
    std::uint64_t last_id{100};
};

TEST_F(ServerTest, StatTellsWhatAPathIsAndWhereItLeads)
{
    std::ofstream{pair.folder / "file"} << "12345";
    std::filesystem::permissions(pair.folder / "file", std::filesystem::perms{04711});
    std::filesystem::create_symlink("file", pair.folder / "link");
    std::filesystem::create_symlink("none", pair.folder / "dangling");
    const auto file = stat(pair.folder / "file");
    EXPECT_EQ(file.type, Type::File);
    EXPECT_EQ(file.mode, 04711U);
    EXPECT_EQ(file.size, 5U);
    const auto link = stat(pair.folder / "link");
    EXPECT_EQ(link.type, Type::Symlink);
    EXPECT_EQ(link.target, Type::File);
    EXPECT_EQ(link.size, 5U);
    const auto dangling = stat(pair.folder / "dangling");
    EXPECT_EQ(dangling.type, Type::Symlink);
    EXPECT_EQ(dangling.target, Type::Absent);
    EXPECT_EQ(stat(pair.folder / "none").type, Type::Absent);
    EXPECT_EQ(stat(pair.folder / "file/below").type, Type::Absent);
    EXPECT_EQ(stat("/").type, Type::Directory);
    EXPECT_EQ(stat("/dev/null").type, Type::Other);
}

TEST_F(ServerTest, StatsAreOfThisMachine)
{
    const auto stats = ask<wire::StatsResult>(wire::Stats{});
    EXPECT_GT(stats.memory_total, std::uint64_t{1} << 20U);
    EXPECT_GT(stats.memory_available, 0U);
    EXPECT_LE(stats.memory_available, stats.memory_total);
    EXPECT_GT(stats.root_total, 0U);
    EXPECT_GT(stats.processes, 0U);
    EXPECT_GT(stats.uptime_ms, 0U);
}

TEST_F(ServerTest, SlowRequestsAreAnsweredByAChild)
{
    EXPECT_GT(ask<wire::SpawnTimeResult>(wire::SpawnTime{3}).median_ns, 0U);
}

TEST_F(ServerTest, AConfigureIsAnsweredBeforeTheGuestIsReady)
{
    const auto result = ask<wire::ConfigureResult>(wire::Configure{std::nullopt, {"key"}, 5, "seed", {}});
    EXPECT_EQ(result.warnings, std::vector<std::string>{"a warning"});
    ASSERT_TRUE(pair.role.configured);
    EXPECT_EQ(pair.role.configured->authorized_keys, std::vector<std::string>{"key"});
    ASSERT_TRUE(pair.wait([&] { return pair.host->controls.size() == 2; }));
    EXPECT_TRUE(std::holds_alternative<wire::Ready>(pair.host->controls[1]));
}

TEST_F(ServerTest, AShutdownIsAnsweredAndLeftToTheRole)
{
    ask<wire::Done>(wire::Shutdown{wire::ShutdownKind::Reboot});
    EXPECT_EQ(pair.role.down, wire::ShutdownKind::Reboot);
}

TEST_F(ServerTest, ARequestOfALaterVersionIsAFailureWithItsNumber)
{
    pair.host->control(wire::to_bytes({{"kind", "request"}, {"id", 7}, {"method", "fly"}}));
    EXPECT_THAT(answer<wire::Failure>(7).text, HasSubstr("names nothing that this version does"));
    pair.host->control(wire::to_bytes({{"kind", "request"}, {"id", 8}, {"method", "stat"}, {"path", "relative"}}));
    EXPECT_THAT(answer<wire::Failure>(8).text, HasSubstr("not an absolute path"));
}

TEST_F(ServerTest, ControlThatNobodyCanReadIsPassedOver)
{
    pair.host->control(wire::Bytes{0xff, 0x00});
    pair.host->control(wire::to_bytes({{"kind", "surprise"}}));
    pair.host->control(wire::to_bytes({{"kind", "request"}, {"id", "x"}, {"method", "ping"}}));
    ask<wire::Done>(wire::Ping{});
    EXPECT_EQ(pair.host->controls.size(), 1U);
    EXPECT_EQ(pair.host->lost, "");
}

TEST_F(ServerTest, ARequestWithAVastPathIsAnsweredByAShortSentence)
{
    const auto failure = ask<wire::Failure>(wire::Stat{"/" + std::string(262'000, 'x')});
    EXPECT_THAT(failure.text, HasSubstr("/xxx"));
    EXPECT_LE(failure.text.size(), 4096U);
    EXPECT_EQ(pair.host->lost, "");
}

TEST_F(ServerTest, AnOpenWithAVastPathIsRefusedByAShortSentence)
{
    const auto refused = refusal(pair.host->open(wire::CopyOut{"/" + std::string(262'000, 'x'), false}));
    EXPECT_EQ(refused.code, RefusedCode::Failed);
    EXPECT_LE(refused.text.size(), 4096U);
}

TEST_F(ServerTest, ADamagedOpenIsABadRequest)
{
    EXPECT_EQ(refusal_of({{"kind", "fly"}}).code, RefusedCode::BadRequest);
    EXPECT_EQ(refusal_of({{"kind", "connect"}, {"host", "::1"}}).code, RefusedCode::BadRequest);
    EXPECT_EQ(refusal_of({{"kind", "copy-out"}, {"path", "relative"}, {"contents", false}}).code,
              RefusedCode::BadRequest);
    EXPECT_EQ(refusal(pair.host->raw_open(wire::Bytes{0xff})).code, RefusedCode::BadRequest);
    EXPECT_EQ(pair.host->lost, "");
}

TEST_F(ServerTest, AStreamForStderrThatIsTakenIsABadRequest)
{
    const auto other = cat();
    EXPECT_EQ(refusal(pair.host->open(wire::Exec{{"true"}, {}, "/", "", {}, false, other})).code,
              RefusedCode::BadRequest);
    pair.host->send(other, "alive");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(other).data == "alive"; }));
}

TEST_F(ServerTest, ATerminalNamedWithTheStreamOfAnotherCommandTakesNothingFromIt)
{
    const auto other = cat();
    const auto terminal = pair.host->open(wire::Exec{{"cat"}, {}, "/", "", wire::Terminal{}, false, other});
    ASSERT_TRUE(pair.wait([&] { return pair.seen(terminal).opened.has_value(); }));
    pair.host->send(other, "alive");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(other).data == "alive"; }, 5s));
    pair.host->close(other);
    pair.host->close(terminal);
}

TEST_F(ServerTest, ADamagedMessageResetsItsStreamAlone)
{
    const auto other = cat();
    const auto id = cat();
    pair.host->raw_message(id, wire::Bytes{0xff});
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).closed, wire::CloseReason::Reset);
    pair.host->send(other, "alive");
    EXPECT_TRUE(pair.wait([&] { return pair.seen(other).data == "alive"; }));
}

TEST_F(ServerTest, TooManySlowRequestsAreRefusedAndTheOthersAnswered)
{
    constexpr std::uint64_t count = 70;
    for (std::uint64_t id = 1; id <= count; ++id) {
        pair.host->request(id, wire::SpawnTime{1});
    }
    ASSERT_TRUE(pair.wait([&] { return pair.host->controls.size() == count; }));
    int refused = 0;
    for (std::uint64_t id = 1; id <= count; ++id) {
        ASSERT_NE(pair.host->response(id), nullptr) << id;
        const auto* failure = std::get_if<wire::Failure>(pair.host->response(id));
        refused += failure != nullptr && failure->text.find("too many requests") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(refused, 6);
    EXPECT_GT(ask<wire::SpawnTimeResult>(wire::SpawnTime{1}).median_ns, 0U);
}

TEST_F(ServerTest, AnAnswerGoesOnlyToTheHostThatAsked)
{
    pair.host->request(1, wire::SpawnTime{1});
    ASSERT_TRUE(pair.wait([rounds = 0]() mutable { return ++rounds > 1; }));  // the guest has it
    pair.connect();
    for (int i = 0; i < 3; ++i) {
        ask<wire::SpawnTimeResult>(wire::SpawnTime{1});
    }
    EXPECT_EQ(pair.host->response(1), nullptr);
}

TEST_F(ServerTest, ARoleThatRunsNothingRefusesEachOpen)
{
    pair.role.runs = false;
    EXPECT_EQ(refusal(pair.host->shell("true")).code, RefusedCode::Failed);
    ask<wire::Done>(wire::Ping{});
}

TEST_F(ServerTest, WindingDownWithoutSessionsIsDoneAtOnce)
{
    bool down = false;
    pair.server->wind_down(20s, [&] { down = true; });
    EXPECT_TRUE(pair.wait([&] { return down; }, 5s));
}

TEST_F(ServerTest, WindingDownEndsAtItsLimitAndOpensNothingMeanwhile)
{
    const auto id = pair.host->shell("trap '' TERM; echo up; while :; do read x || sleep 1; done");
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n"; }));
    bool down = false;
    pair.server->wind_down(300ms, [&] { down = true; });
    EXPECT_EQ(refusal(pair.host->shell("true")).code, RefusedCode::Failed);
    EXPECT_FALSE(down);
    EXPECT_TRUE(pair.wait([&] { return down; }, 5s));
    pair.host->message(id, wire::Signal{SIGKILL});
    EXPECT_TRUE(pair.wait_end(id));
}

TEST_F(ServerTest, WhatWaitsForAHostRunsOnceOneIsThere)
{
    int runs = 0;
    pair.server->when_synced([&] { ++runs; });
    EXPECT_EQ(runs, 1);
    pair.host->vanish();
    ASSERT_TRUE(pair.wait([&] { return !pair.server->synced(); }));
    pair.server->when_synced([&] { ++runs; });
    EXPECT_EQ(runs, 1);
    pair.connect();
    EXPECT_EQ(runs, 2);
    pair.connect();
    EXPECT_EQ(runs, 2);
}

TEST_F(ServerTest, EventsReachTheHost)
{
    pair.server->announce(wire::Bye{wire::ShutdownKind::Halt});
    ASSERT_TRUE(pair.wait([&] { return pair.host->controls.size() == 1; }));
    EXPECT_EQ(std::get<wire::Bye>(pair.host->controls[0]).kind, wire::ShutdownKind::Halt);
}

TEST(DeadDiskTest, AStatThatHangsStopsNothingElse)
{
    agent::test::TemporaryFolder disk;
    pass_in_namespaces(CLONE_NEWNS, [&] {
        auto server = mount_dead_disk(disk.path.string());
        ::alarm(60);  // where it does stop all, this test too
        GuestAndHost pair;
        pair.host->request(1, wire::Stat{(disk.path / "x").string()});
        pair.host->request(2, wire::Ping{});
        ASSERT_TRUE(pair.wait([&] { return pair.host->response(2) != nullptr; }));
        EXPECT_EQ(pair.host->response(1), nullptr);
        server.reset();
        EXPECT_TRUE(pair.wait([&] { return pair.host->response(1) != nullptr; }));
    });
}

TEST_F(ServerTest, AGoodbyeIsToldEachHostThatComesAfterIt)
{
    pair.server->announce(wire::Bye{wire::ShutdownKind::PowerOff});
    for (int hosts = 0; hosts < 2; ++hosts) {
        pair.host->vanish();
        pair.connect();
        ASSERT_TRUE(pair.wait([&] { return pair.host->controls.size() == 1; }));
        EXPECT_EQ(std::get<wire::Bye>(pair.host->controls[0]).kind, wire::ShutdownKind::PowerOff);
    }
}

}  // namespace
}  // namespace banger::guest::test
