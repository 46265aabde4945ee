// SPDX-License-Identifier: GPL-2.0-or-later
// Long because all that is said on one connection is held against one fixture.
#include "agent/system/guest_session.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "agent/system/unix_socket.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/guest_end.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;
using test::GuestEnd;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using wire::FrameType;

constexpr milliseconds short_limit{60};

using test::bytes;

class GuestSessionTest : public test::SessionTest {};

TEST_F(GuestSessionTest, TheGuestIsToldItsSettingsAndSaysThatItIsReady)
{
    GuestSettings settings;
    settings.authorized_keys = {"ssh-ed25519 AAAA"};
    settings.network = {
        .kind = "user", .address = "192.0.2.7", .prefix = 24, .gateway = "192.0.2.1", .dns = {"192.0.2.2"}, .vmm = {}};
    settings.network.vmm.mac = "02:62:00:00:00:01";
    open_session(settings);
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    const auto [id, configure] = *guest->asked<wire::Configure>();
    EXPECT_THAT(configure.authorized_keys, ElementsAre("ssh-ed25519 AAAA"));
    ASSERT_TRUE(configure.network);
    EXPECT_EQ(configure.network->address, "192.0.2.7/24");
    EXPECT_EQ(configure.network->mac, "02:62:00:00:00:01");
    EXPECT_GT(configure.unix_ns.value_or(0), 1'700'000'000'000'000'000);
    EXPECT_EQ(configure.entropy.size(), 64U);
    EXPECT_EQ(readies, 0);
    guest->say(wire::Ready{{{"ready", 100}}});
    await([&] { return readies == 1; });
}

TEST_F(GuestSessionTest, AGuestThatIsReadyAlreadyIsKeptAsItIs)
{
    open_kept_session();
    await([&] { return readies == 1; });
    expect_served();
    EXPECT_FALSE(guest->asked<wire::Configure>());
}

TEST_F(GuestSessionTest, AGuestLearnsTheNamesOfOthersAndTheirChanges)
{
    open_session();
    session->tell_names({{.name = "otter", .address = "10.213.0.2"}});
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    EXPECT_THAT(guest->asked<wire::Configure>()->second.hosts, ElementsAre(wire::HostEntry{"10.213.0.2", "otter.vm"}));
    session->tell_names({});
    session->tell_names({{.name = "heron", .address = "10.213.0.6"}});
    await([&] { return guest->asked<wire::Hosts>().has_value(); });
    let_pass();
    const auto [id, hosts] = *guest->asked<wire::Hosts>();
    EXPECT_THAT(hosts.entries, IsEmpty()) << "one at a time";
    guest->say(wire::Response{id, wire::Done{}});
    await([&] { return guest->asked<wire::Hosts>()->first != id; });
    EXPECT_THAT(guest->asked<wire::Hosts>()->second.entries, ElementsAre(wire::HostEntry{"10.213.0.6", "heron.vm"}));
}

TEST_F(GuestSessionTest, AGuestThatKnowsNothingOfNamesIsNotAskedAgainByItself)
{
    open_synced_session();
    session->tell_names({{.name = "otter", .address = "10.213.0.2"}});
    await([&] { return guest->asked<wire::Hosts>().has_value(); });
    const auto id = guest->asked<wire::Hosts>()->first;
    guest->say(wire::Response{id, wire::Failure{"what is that?"}});
    let_pass();
    EXPECT_EQ(guest->asked<wire::Hosts>()->first, id);
    expect_served();
}

TEST_F(GuestSessionTest, AGuestIsToldTheTimeEachTimeItsHostHasSlept)
{
    open_synced_session();
    session->tell_time();
    await([&] { return guest->asked<wire::Clock>().has_value(); });
    const auto [id, clock] = *guest->asked<wire::Clock>();
    EXPECT_GT(clock.unix_ns, 1'700'000'000'000'000'000);
    session->tell_time();
    let_pass();
    EXPECT_EQ(guest->asked<wire::Clock>()->first, id) << "one at a time";
    guest->say(wire::Response{id, wire::Done{}});
    await([&] { return guest->asked<wire::Clock>()->first != id; });
    const auto [second, later] = *guest->asked<wire::Clock>();
    EXPECT_GT(later.unix_ns, clock.unix_ns) << "as it is when it is sent";
    guest->say(wire::Response{second, wire::Failure{"what is that?"}});
    let_pass();
    EXPECT_EQ(guest->asked<wire::Clock>()->first, second) << "a guest that refuses is not asked again by itself";
    expect_served();
}

TEST_F(GuestSessionTest, AGuestThatCouldNotBeToldTheTimeIsToldWithTheNextConnection)
{
    open_kept_session();
    await([&] { return readies == 1; });
    session->tell_time();
    await([&] { return guest->asked<wire::Clock>().has_value(); });
    guest->die();
    await([&] { return readies == 2 && guest->asked<wire::Clock>().has_value(); });
    expect_served();
}

TEST_F(GuestSessionTest, AGuestThatIsConfiguredNeedsNotBeToldTheTimeToo)
{
    open_session();
    session->tell_time();
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    guest->say(wire::Ready{{{"ready", 100}}});
    await([&] { return readies == 1; });
    let_pass();
    EXPECT_FALSE(guest->asked<wire::Clock>());
}

TEST_F(GuestSessionTest, AGuestThatIsKeptLearnsTheNamesAnew)
{
    open_kept_session();
    session->tell_names({{.name = "otter", .address = "10.213.0.2"}});
    await([&] { return guest->asked<wire::Hosts>().has_value(); });
    EXPECT_EQ(guest->asked<wire::Hosts>()->second.entries.size(), 1U);
}

TEST_F(GuestSessionTest, AGuestThatWasBootedAnewIsConfiguredAnew)
{
    GuestSettings settings;
    settings.keep = true;
    open_session(settings);
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    EXPECT_EQ(readies, 0);
}

TEST_F(GuestSessionTest, GarbageBeforeTheAnswerIsSkipped)
{
    std::string garbage(200'000, '\0');
    for (std::size_t i = 0; i < garbage.size(); ++i) {
        garbage[i] = static_cast<char>(i * 167 + i / 251);
    }
    prepare = [&](GuestEnd& end) { end.raw(bytes(garbage + "BngrAckdBngrAckd")); };
    open_synced_session();
    expect_served();
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestSessionTest, GarbageWithoutAnAnswerEndsTheConnectionAfterTheLimit)
{
    limits.handshake = short_limit;
    prepare = [this](GuestEnd& end) {
        end.answering = connections > 1;
        if (connections == 1) {
            end.raw(bytes(std::string(100'000, 'x')));
        }
    };
    open_session();
    await([&] { return connections == 2; });
    expect_served();
}

TEST_F(GuestSessionTest, AGuestThatSaysNothingAtAllKeepsTheConnection)
{
    limits.handshake = milliseconds{1};
    prepare = [](GuestEnd& end) { end.answering = false; };
    open_session();
    let_pass();  // it may still boot
    EXPECT_EQ(connections, 1);
    EXPECT_TRUE(guest->connected);
}

/// A guest that answers the first Sync by hand.
class HandshakeTest : public GuestSessionTest {
protected:
    void answer_first(std::uint16_t version, wire::Bytes hello, std::uint8_t epoch_change = 0)
    {
        limits.handshake = short_limit;
        prepare = [this](GuestEnd& end) { end.answering = connections > 1; };
        open_session();
        await([&] { return guest->epoch.has_value(); });
        auto epoch = *guest->epoch;
        epoch.bytes[0] ^= epoch_change;
        guest->raw(wire::encode(wire::SyncAck{epoch, version, std::move(hello)}));
        await([&] { return connections == 2; });
        expect_served();
    }
};

TEST_F(HandshakeTest, AnotherVersionEndsTheConnection)
{
    answer_first(wire::version_max + 1, wire::encode(wire::Hello{}));
}
TEST_F(HandshakeTest, NoVersionEndsTheConnection) { answer_first(0, {}); }
TEST_F(HandshakeTest, AHelloThatIsNoCborEndsTheConnection) { answer_first(1, bytes("\xff\xff not cbor")); }
TEST_F(HandshakeTest, AnEmptyHelloEndsTheConnection) { answer_first(1, {}); }
TEST_F(HandshakeTest, TheAnswerToAnotherEpochIsNone) { answer_first(1, wire::encode(wire::Hello{}), 1); }

TEST_F(GuestSessionTest, AGuestThatSaysReadyTenThousandTimesIsStillServed)
{
    open_synced_session();
    const auto ready = wire::encode(wire::Control{wire::Ready{}});
    for (int i = 0; i < 10'000; ++i) {
        guest->mux.control(ready);
    }
    guest->flush();
    expect_served();
    EXPECT_EQ(readies, 10'000);
    EXPECT_EQ(connections, 1);
}

struct Lie {
    const char* name;
    std::function<void(GuestEnd&)> tell;
};

void PrintTo(const Lie& lie, std::ostream* out) { *out << lie.name; }

class LyingGuestTest : public GuestSessionTest, public ::testing::WithParamInterface<Lie> {};

TEST_P(LyingGuestTest, LosesTheConnectionAndTheNextOneIsServed)
{
    open_synced_session();
    const auto waiting = begin(session->query("stats", {}));
    const auto command = begin(session->connect("", 80));
    await([&] { return !guest->streams.empty(); });
    GetParam().tell(*guest);
    await([&] { return waiting->ended && connections == 2; });
    ASSERT_TRUE(waiting->error);
    EXPECT_EQ(waiting->error->code(), ErrorCode::Unavailable);
    expect_served();
    // The client that was connected sees the end, whether it had been answered or not.
    ASSERT_TRUE(command->ended);
    if (command->value) {
        read_all(*command->value);
    }
}

// The connection is stream 1.
INSTANTIATE_TEST_SUITE_P(
    Lies, LyingGuestTest,
    ::testing::Values(
        Lie{"DataForAStreamThatIsNotOpen", [](GuestEnd& end) { end.lie(77, FrameType::Data, bytes("x")); }},
        Lie{"EndOfAStreamThatIsNotOpen", [](GuestEnd& end) { end.lie(77, FrameType::Eof, {}); }},
        Lie{"CloseOfAStreamThatIsNotOpen", [](GuestEnd& end) { end.lie(77, FrameType::Close, {}); }},
        Lie{"ASecondEnd",
            [](GuestEnd& end) {
                end.lie(1, FrameType::Eof, {});
                end.lie(1, FrameType::Eof, {});
            }},
        Lie{"DataAfterTheEnd",
            [](GuestEnd& end) {
                end.lie(1, FrameType::Eof, {});
                end.lie(1, FrameType::Data, bytes("x"));
            }},
        Lie{"ASecondAnswer", [](GuestEnd& end) { end.lie(1, FrameType::Opened, wire::encode(wire::Opened{2})); }},
        Lie{"ARefusalAfterTheAnswer",
            [](GuestEnd& end) { end.lie(1, FrameType::Refused, wire::encode(wire::Refused{})); }},
        Lie{"CreditBeyondTheWindow", [](GuestEnd& end) { end.lie(1, FrameType::Credit, bytes("\xff\xff\xff\xff")); }},
        Lie{"CreditThatIsNoNumber", [](GuestEnd& end) { end.lie(1, FrameType::Credit, bytes("x")); }},
        Lie{"AMessageThatIsNoCbor", [](GuestEnd& end) { end.lie(1, FrameType::Message, bytes("\xff")); }},
        Lie{"AnOpenOfItsOwn",
            [](GuestEnd& end) { end.lie(9, FrameType::Open, wire::encode(wire::OpenRequest{wire::Connect{}})); }},
        Lie{"AControlThatIsNoCbor", [](GuestEnd& end) { end.lie(0, FrameType::Control, bytes("\xff\xfe")); }},
        Lie{"AnEmptyControl", [](GuestEnd& end) { end.lie(0, FrameType::Control, {}); }},
        Lie{"AnUnknownEvent",
            [](GuestEnd& end) {
                const auto map = nlohmann::json::to_cbor(nlohmann::json{{"kind", "no such"}});
                end.lie(0, FrameType::Control, map);
            }},
        Lie{"AnAnswerOfAnUnknownKind",
            [](GuestEnd& end) {
                const auto map =
                    nlohmann::json::to_cbor(nlohmann::json{{"kind", "response"}, {"id", 1}, {"result", "?"}});
                end.lie(0, FrameType::Control, map);
            }},
        Lie{"ADeeplyNestedControl", [](GuestEnd& end) { end.lie(0, FrameType::Control, wire::Bytes(30'000, 0x81)); }},
        Lie{"AFrameOfAnUnknownType", [](GuestEnd& end) { end.lie(1, static_cast<FrameType>(99), {}); }},
        Lie{"AFrameOfAnotherEpoch", [](GuestEnd& end) { end.raw(wire::Bytes(64, 0x5a)); }},
        Lie{"AMessageThatNeverEnds",
            [](GuestEnd& end) {
                for (int i = 0; i < 10; ++i) {
                    end.lie(0, FrameType::Control, wire::Bytes(wire::max_payload, 'x'), wire::flag_more);
                }
            }},
        Lie{"AMessageThatAnotherFrameBreaksInto",
            [](GuestEnd& end) {
                end.lie(0, FrameType::Control, bytes("x"), wire::flag_more);
                end.lie(1, FrameType::Data, bytes("x"));
            }},
        Lie{"TheZerosOfAGuestThatWasRestarted", [](GuestEnd& end) { end.raw(wire::Bytes(wire::max_frame, 0)); }},
        Lie{"HalfAFrameAndTheEnd",
            [](GuestEnd& end) {
                wire::Bytes frame;
                wire::append_frame(frame, end.epoch->tag(), 1, FrameType::Data, 0, bytes("half of it"));
                frame.resize(frame.size() / 2);
                end.raw(frame);
                end.die();
            }},
        Lie{"TheEnd", [](GuestEnd& end) { end.die(); }}),
    [](const auto& lie) { return lie.param.name; });

TEST_F(GuestSessionTest, ACallThatWaitsForTheGuestSurvivesOneThatBreaksOffInTheSameBreath)
{
    prepare = [this](GuestEnd& end) { end.answering = connections > 1; };
    open_session();
    const auto command = begin(session->exec({.argv = {bytes("true")}, .env = {}, .cwd = {}, .user = {}}));
    const auto connection = begin(session->connect("", 80));
    const auto question = begin(session->query("stats", {}));
    await([&] { return guest->epoch.has_value(); });
    auto answer = wire::encode(wire::SyncAck{*guest->epoch, 1, wire::encode(guest->hello)});
    answer.resize(answer.size() + 64);
    guest->raw(answer);
    await([&] { return command->ended && connection->ended && question->ended; });
    EXPECT_EQ(command->error->code(), ErrorCode::Unavailable);
    EXPECT_EQ(connection->error->code(), ErrorCode::Unavailable);
    EXPECT_EQ(question->error->code(), ErrorCode::Unavailable);
    await([&] { return connections == 2; });
    expect_served();
}

TEST_F(GuestSessionTest, AnAnswerThatNobodyWaitsForIsDropped)
{
    open_synced_session();
    for (std::uint64_t id = 1'000; id < 1'100; ++id) {
        guest->say(wire::Response{id, wire::Done{}});
    }
    guest->say(wire::Request{7, wire::Ping{}});
    expect_served();
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestSessionTest, ASecondAnswerChangesNothing)
{
    open_synced_session();
    const auto answer = begin(session->query("stat", bytes("/etc")));
    await([&] { return guest->asked<wire::Stat>().has_value(); });
    EXPECT_EQ(guest->asked<wire::Stat>()->second.path, "/etc");
    const auto id = guest->asked<wire::Stat>()->first;
    using Type = wire::StatResult::Type;
    guest->say(wire::Response{id, wire::StatResult{Type::Directory, Type::Directory, 0755, 1}});
    guest->say(wire::Response{id, wire::Failure{"no"}});
    await([&] { return answer->ended; });
    ASSERT_TRUE(answer->value);
    EXPECT_EQ((*answer->value)["type"], "directory");
    expect_served();
}

TEST_F(GuestSessionTest, AFailureIsToldInTextThatTheBusTakes)
{
    open_synced_session();
    const auto answer = begin(session->query("stats", {}));
    await([&] { return guest->asked<wire::Stats>().has_value(); });
    guest->say(wire::Response{guest->asked<wire::Stats>()->first, wire::Failure{"b\xffroken"}});
    await([&] { return answer->ended; });
    EXPECT_EQ(answer->error->code(), ErrorCode::Failed);
    EXPECT_THAT(answer->error->what(), HasSubstr("b?roken"));
}

TEST_F(GuestSessionTest, AQuestionThatIsNotAnsweredIsLate)
{
    limits.request = short_limit;
    open_synced_session();
    const auto answer = run(session->query("stats", {}));
    EXPECT_EQ(answer->error->code(), ErrorCode::TimedOut);
    guest->say(wire::Response{guest->asked<wire::Stats>()->first, wire::StatsResult{}});  // too late
    EXPECT_TRUE(falls_asleep());
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestSessionTest, AShutdownThatIsNotHeardIsLate)
{
    open_synced_session();
    const auto answer = run(with_value(session->shut_down(short_limit)));
    EXPECT_EQ(answer->error->code(), ErrorCode::TimedOut);
    ASSERT_TRUE(guest->asked<wire::Shutdown>());
    EXPECT_EQ(guest->asked<wire::Shutdown>()->second.kind, wire::ShutdownKind::PowerOff);
}

TEST_F(GuestSessionTest, AGuestThatIsNotUpIsUnavailableAfterTheLimit)
{
    limits.call = short_limit;
    prepare = [](GuestEnd& end) { end.answering = false; };
    open_session();
    const auto command = begin(session->exec({.argv = {bytes("true")}, .env = {}, .cwd = {}, .user = {}}));
    const auto shutdown = begin(with_value(session->shut_down(short_limit)));
    await([&] { return command->ended && shutdown->ended; });
    EXPECT_EQ(command->error->code(), ErrorCode::Unavailable);
    EXPECT_EQ(shutdown->error->code(), ErrorCode::Unavailable);
}

TEST_F(GuestSessionTest, AnUnknownQuestionIsTheCallersMistake)
{
    open_synced_session();
    EXPECT_EQ(run(session->query("weather", {}))->error->code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(run(session->query("spawn-time", bytes("0")))->error->code(), ErrorCode::InvalidArgument);
    EXPECT_EQ(run(session->query("stat", wire::Bytes(300'000, '/')))->error->code(), ErrorCode::InvalidArgument);
    expect_served();
}

TEST_F(GuestSessionTest, AFarewellAndAFailedBootAreTold)
{
    open_synced_session();
    guest->say(wire::Bye{wire::ShutdownKind::Reboot});
    guest->say(wire::Bye{wire::ShutdownKind::Halt});
    guest->say(wire::BootFailed{"no \xf0\x9f root"});
    await([&] { return failures.size() == 1; });
    EXPECT_THAT(goodbyes, ElementsAre(GuestGoodbye::Reboot, GuestGoodbye::PowerOff));
    EXPECT_EQ(failures[0], "no ?? root");
}

TEST_F(GuestSessionTest, AFarewellThatIsOnItsWayStillIsAskedForOnceTheVmmHasEnded)
{
    open_synced_session();
    EXPECT_EQ(session->last_goodbye(), std::nullopt);
    guest->say(wire::Bye{wire::ShutdownKind::PowerOff});
    guest->die();
    EXPECT_EQ(session->last_goodbye(), GuestGoodbye::PowerOff);
    EXPECT_THAT(goodbyes, IsEmpty()) << "the loop has turned, so this shows nothing";
}

TEST_F(GuestSessionTest, AGuestThatIsReadyAgainAndAgainIsNoneThatIsUsed)
{
    open_synced_session();
    guest->say(wire::Ready{});
    await([&] { return readies == 1; });
    const auto first = session->last_use();
    let_pass(milliseconds{5});
    guest->say(wire::Ready{});
    await([&] { return readies == 2; });
    EXPECT_EQ(session->last_use(), first);
}

TEST_F(GuestSessionTest, AKnockBringsANewConnectionInPlaceOfOneThatLeadsNowhere)
{
    limits.knock = short_limit;
    test::TemporaryFolder folder;
    auto listener = listen_in(folder.path, "knocks");
    ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
    open_session({}, std::move(listener));
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    EXPECT_EQ(connections, 1);
    connect_in(folder.path, "knocks");
    await([&] { return connections == 2 && guest->asked<wire::Configure>().has_value(); });
    expect_served();
}

TEST_F(GuestSessionTest, AKnockCutsNothingOfAGuestThatAnswers)
{
    limits.knock = milliseconds{500};
    test::TemporaryFolder folder;
    auto listener = listen_in(folder.path, "knocks");
    ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
    open_session({}, std::move(listener));
    await([&] { return guest->asked<wire::Configure>().has_value(); });
    const auto stream = run(session->connect("", 80));
    ASSERT_TRUE(stream->value);
    connect_in(folder.path, "knocks");
    await([&] { return guest->asked<wire::Ping>().has_value(); });
    const auto asked = guest->asked<wire::Ping>()->first;
    connect_in(folder.path, "knocks");
    let_pass(milliseconds{200});
    EXPECT_EQ(guest->asked<wire::Ping>()->first, asked) << "one question at a time";
    guest->say(wire::Response{asked, wire::Done{}});
    let_pass(limits.knock);
    EXPECT_EQ(connections, 1);
    const auto id = guest->streams.begin()->first;
    guest->send(id, "still there");
    guest->end(id);
    EXPECT_EQ(read_all(*stream->value), "still there");
}

TEST_F(GuestSessionTest, AGuestThatKnocksWithoutEndIsHeardTenTimesASecondAtMost)
{
    prepare = [](GuestEnd& end) { end.answering = false; };
    test::TemporaryFolder folder;
    auto listener = listen_in(folder.path, "knocks");
    ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
    open_session({}, std::move(listener));
    for (int knock = 0; knock < 300; ++knock) {
        try {
            connect_in(folder.path, "knocks");
        } catch (const Error&) {  // nobody took the ones before yet
        }
        let_pass(milliseconds{1});
    }
    EXPECT_GT(connections, 1);
    EXPECT_LT(connections, 60);  // 0.3 s and what a slow machine makes of them
}

TEST_F(GuestSessionTest, AVmmThatTakesNoConnectionIsTriedAgain)
{
    int tries = 0;
    auto pair = make_socket_pair(SOCK_STREAM);
    guest = std::make_unique<GuestEnd>(loop, std::move(pair.theirs));
    session = std::make_unique<GuestSession>(loop, GuestDoor{[&]() -> UniqueFd {
                                                 if (++tries < 3) {
                                                     throw Error{ErrorCode::Unavailable, "nobody there"};
                                                 }
                                                 return std::move(pair.ours);
                                             }},
                                             GuestSettings{},
                                             GuestLinkEvents{[] {}, [](GuestGoodbye) {}, [](const std::string&) {}});
    expect_served();
    EXPECT_EQ(tries, 3);
}

TEST_F(GuestSessionTest, WhoWaitsHearsOfTheVmsEnd)
{
    open_synced_session();
    const auto question = begin(session->query("stats", {}));
    guest->accepting = false;
    const auto connection = begin(session->connect("", 80));
    await([&] { return !guest->streams.empty() && guest->asked<wire::Stats>(); });
    session.reset();
    await([&] { return question->ended && connection->ended; });
    EXPECT_EQ(question->error->code(), ErrorCode::Unavailable);
    EXPECT_EQ(connection->error->code(), ErrorCode::Unavailable);
    await([&] { return !guest->connected; });

    prepare = [](GuestEnd& end) { end.answering = false; };
    open_session();
    const auto early = begin(session->query("stats", {}));
    session.reset();
    await([&] { return early->ended; });
    EXPECT_EQ(early->error->code(), ErrorCode::Unavailable);
}

TEST_F(GuestSessionTest, AnIdleSessionLetsTheLoopSleep)
{
    open_synced_session();
    guest->say(wire::Response{guest->asked<wire::Configure>()->first, wire::ConfigureResult{}});
    EXPECT_TRUE(falls_asleep());
}

}  // namespace
}  // namespace banger::agent
