// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/messages.hpp"

#include "common/error.hpp"
#include "guest/wire/cbor.hpp"

#include <random>

#include <gtest/gtest.h>

namespace banger::wire {
namespace {

using nlohmann::json;

const std::string any_bytes = "caf\xc3\xa9 \xff\xfe\x01";

/// The same bytes after another round: nothing of the value was dropped or changed.
template <typename Decode, typename Value>
void expect_round_trip(const Value& value, Decode decode)
{
    const Bytes first = encode(value);
    EXPECT_EQ(encode(decode(first)), first) << json::from_cbor(first);
}

TEST(MessagesTest, OpensComeBackAsTheyWere)
{
    Exec exec{{"/bin/echo", any_bytes, ""}, {"A=" + any_bytes}, "/tmp", "1000:7", Terminal{50, 200}, true, 9};
    expect_round_trip(OpenRequest{exec}, decode_open);
    const auto back = std::get<Exec>(decode_open(encode(OpenRequest{exec})));
    EXPECT_EQ(back.argv, exec.argv);
    EXPECT_EQ(back.terminal->columns, 200);
    EXPECT_EQ(back.stderr_stream, 9U);
    expect_round_trip(OpenRequest{Exec{{"true"}, {}, {}, "", {}, false, 0}}, decode_open);
    exec.stop_signal = 3;
    expect_round_trip(OpenRequest{exec}, decode_open);
    EXPECT_EQ(std::get<Exec>(decode_open(encode(OpenRequest{exec}))).stop_signal, 3);
    expect_round_trip(OpenRequest{Connect{"::1", 22}}, decode_open);
    expect_round_trip(OpenRequest{CopyIn{"/root", any_bytes}}, decode_open);
    expect_round_trip(OpenRequest{CopyOut{"/" + any_bytes, true}}, decode_open);
}

TEST(MessagesTest, AWindowLargerThanTheGuestTakesIsTheLargestThatItTakes)
{
    const auto message = decode_message(encode(StreamMessage{WindowSize{{60'000, 5'000}}}));
    EXPECT_EQ(std::get<WindowSize>(message).size.rows, 4096);
    EXPECT_EQ(std::get<WindowSize>(message).size.columns, 4096);
}

TEST(MessagesTest, AnswersComeBackAsTheyWere)
{
    expect_round_trip(Hello{"id", "1", "6.1", "service", true, {"exec", "copy"}}, decode_hello);
    expect_round_trip(Opened{4711}, decode_opened);
    expect_round_trip(Refused{RefusedCode::BadUser, "no such user"}, decode_refused);
    EXPECT_EQ(decode_refused(encode(Refused{RefusedCode::NotRunnable, ""})).code, RefusedCode::NotRunnable);
    EXPECT_EQ(decode_refused(encode(Refused{RefusedCode::Failed, "no\nbanger: too old"})).text, "no?banger: too old");
}

TEST(MessagesTest, StreamMessagesComeBackAsTheyWere)
{
    expect_round_trip(StreamMessage{Signal{15}}, decode_message);
    expect_round_trip(StreamMessage{WindowSize{{1, 2}}}, decode_message);
    expect_round_trip(StreamMessage{Exited{7, std::nullopt}}, decode_message);
    expect_round_trip(StreamMessage{Exited{std::nullopt, 9}}, decode_message);
    expect_round_trip(StreamMessage{CopyDone{3, 1ULL << 40U, "failed: " + any_bytes}}, decode_message);
}

TEST(MessagesTest, TheErrorOfACopyIsASentenceHoweverLongAGuestMakesIt)
{
    const auto error = byte_string(std::string(100'000, 'x'));
    const auto message =
        decode_message(to_bytes({{"kind", "copy-done"}, {"entries", 0}, {"bytes", 0}, {"error", error}}));
    EXPECT_EQ(std::get<CopyDone>(message).error.size(), max_sentence);
}

TEST(MessagesTest, ControlComesBackAsItWas)
{
    const Network network{"52:54:00:12:34:56", "10.0.0.2/30", "10.0.0.1", {"10.0.0.1"}, {"vm"}};
    const std::vector<RequestBody> requests{
        Ping{},
        Stat{"/" + any_bytes},
        SshHostKeys{},
        Stats{},
        SpawnTime{5},
        Shutdown{ShutdownKind::Reboot},
        Clock{1'700'000'000'000'000'000},
        SyncDisks{},
        Configure{network, {"ssh-ed25519 AAAA"}, 5, std::string(16, '\0'), {{"10.213.0.2", "otter.vm"}}},
        Configure{},
        Listeners{},
        Hosts{{{"10.213.0.2", "otter.vm"}, {"fd00::1", "heron.vm"}}},
        Hosts{}};
    for (const auto& body : requests) {
        expect_round_trip(Control{Request{42, body}}, decode_control);
    }
    const std::vector<ResponseBody> responses{
        Done{},
        StatResult{StatResult::Type::Symlink, StatResult::Type::Directory, 0755, 1ULL << 41U},
        SshHostKeysResult{{"ssh-ed25519 AAAA root"}},
        StatsResult{1, 2, 3, 4, 5, 6, 0.25, 7, 8, 9, 10, 11, 12},
        SpawnTimeResult{27'000'000},
        ConfigureResult{{"no interface"}},
        Failure{"why " + any_bytes},
        ListenersResult{{{"tcp", "::", 22, "sshd"}, {"udp", "127.0.0.1", 65535, any_bytes}}}};
    for (const auto& body : responses) {
        expect_round_trip(Control{Response{1ULL << 60U, body}}, decode_control);
    }
    expect_round_trip(Control{Ready{{{"init", 1400}, {"service", 6000}}}}, decode_control);
    expect_round_trip(Control{Bye{ShutdownKind::Halt}}, decode_control);
    expect_round_trip(Control{BootFailed{"no root"}}, decode_control);
}

template <typename Decode>
void expect_refused(const json& map, Decode decode)
{
    EXPECT_THROW(
        {
            try {
                decode(to_bytes(map));
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ErrorCode::CorruptData);
                throw;
            }
        },
        Error)
        << map;
}

TEST(MessagesTest, UnknownFieldsAreIgnoredAndMissingOnesRefused)
{
    auto map = json::from_cbor(encode(OpenRequest{Connect{"127.0.0.1", 22}}));
    map["of-a-later-version"] = {1, 2, 3};
    EXPECT_NO_THROW(decode_open(to_bytes(map)));
    map.erase("port");
    expect_refused(map, decode_open);
}

TEST(MessagesTest, DamagedFieldsAreRefused)
{
    const auto exec = json::from_cbor(encode(OpenRequest{Exec{{"true"}, {}, {}, "", {}, false, 0}}));
    const auto with = [](json map, const char* name, const json& value) {
        map[name] = value;
        return map;
    };
    expect_refused(with(exec, "argv", json::array()), decode_open);
    expect_refused(with(exec, "argv", "true"), decode_open);
    expect_refused(with(exec, "argv", {byte_string(std::string_view{"a\0b", 3})}), decode_open);
    expect_refused(with(exec, "cwd", "relative"), decode_open);
    expect_refused(with(exec, "stderr", -1), decode_open);
    expect_refused(with(exec, "detached", 1), decode_open);
    expect_refused(with(exec, "kind", "fly"), decode_open);
    const auto copy = json::from_cbor(encode(OpenRequest{CopyIn{"/x", "name"}}));
    for (const char* name : {"", ".", "..", "a/b"}) {
        expect_refused(with(copy, "rename", name), decode_open);
    }
    expect_refused({{"kind", "connect"}, {"host", "h"}, {"port", 65536}}, decode_open);
    expect_refused({{"kind", "exited"}}, decode_message);
    expect_refused({{"kind", "exited"}, {"code", 1}, {"signal", 9}}, decode_message);
    expect_refused(json::array({1, 2}), decode_control);
    const auto hosts = json::from_cbor(encode(Control{Request{1, Hosts{{{"10.0.0.2", "otter.vm"}}}}}));
    for (const auto& entry :
         {json{{"address", "10.0.0.2 evil"}, {"name", "a"}}, json{{"address", "10.0.0.2"}, {"name", "a\n1.2.3.4 b"}},
          json{{"address", "10.0.0.2"}, {"name", ""}}, json{{"address", "10.0.0.2"}}}) {
        expect_refused(with(hosts, "hosts", json::array({entry})), decode_control);
    }
    expect_refused(
        with(hosts, "hosts", json(std::vector<json>(Hosts::most + 1, json{{"address", "::1"}, {"name", "a"}}))),
        decode_control);
}

TEST(MessagesTest, TheLongestListsAreWithinTheLimits)
{
    const ListenersResult listeners{std::vector<Listener>(ListenersResult::most, Listener{"tcp", "::", 22, "sshd"})};
    expect_round_trip(Control{Response{1, listeners}}, decode_control);
    const Hosts hosts{std::vector<HostEntry>(Hosts::most, HostEntry{"10.213.0.2", "otter.vm"})};
    expect_round_trip(Control{Request{1, hosts}}, decode_control);
}

TEST(MessagesTest, NestingAndSizeHaveLimits)
{
    Bytes deep(200'000, 0x81);  // an array in an array in an array
    EXPECT_THROW(decode_map(deep), Error);
    const Bytes vast{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    EXPECT_THROW(decode_map(vast), Error);
    EXPECT_THROW(decode_map({}), Error);
    EXPECT_THROW(decode_map(to_bytes({{"list", json(std::vector<int>(5000, 1))}})), Error);
}

TEST(MessagesTest, RandomBytesAndDamagedMessagesNeverDoMoreThanThrow)
{
    std::mt19937 random{7};
    const Bytes good =
        encode(Control{Request{1, Configure{Network{"m", "a", "g", {"d"}, {"s"}}, {"k"}, 1, "e", {{"::1", "a"}}}}});
    for (int i = 0; i < 20'000; ++i) {
        Bytes input = good;
        for (int change = 0; change < 1 + i % 4; ++change) {
            input[random() % input.size()] = static_cast<std::uint8_t>(random());
        }
        input.resize(1 + random() % input.size());
        try {
            decode_control(input);
        } catch (const Error& error) {
            ASSERT_EQ(error.code(), ErrorCode::CorruptData);
        }
    }
}

}  // namespace
}  // namespace banger::wire
