// SPDX-License-Identifier: GPL-2.0-or-later
// The streams of a GuestSession, from the client's sockets to the guest and back.
// Long because every test is a few lines over one fixture.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "tests/unit/agent/system/guest_end.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;
using test::GuestEnd;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using wire::FrameType;

constexpr auto unavailable = "dev.banger.Error.Unavailable";

using test::bytes;

class GuestStreamsTest : public test::SessionTest {
protected:
    void SetUp() override { open_synced_session(); }

    static GuestCommand command(std::string_view word = "true")
    {
        return {.argv = {bytes(word)}, .env = {}, .cwd = {}, .user = {}};
    }
    std::shared_ptr<Answer<GuestCommandEnds>> exec(GuestCommand what = command())
    {
        auto answer = run(session->exec(std::move(what)));
        EXPECT_TRUE(answer->value) << answer->error->what();
        return answer;
    }
    UniqueFd connection()
    {
        auto answer = run(session->connect("", 80));
        EXPECT_TRUE(answer->value) << answer->error->what();
        return answer->value ? std::move(*answer->value) : UniqueFd{};
    }
    /// The stream that was opened last.
    std::pair<const wire::StreamId, GuestEnd::Stream>& last() { return *guest->streams.rbegin(); }
    static wire::StreamId error_of(const GuestEnd::Stream& stream)
    {
        return std::get<wire::Exec>(stream.request).stderr_stream;
    }
    /// All of it, with credit as it comes.
    void send_all(wire::StreamId stream, std::string_view text)
    {
        await([&] {
            text = guest->send(stream, text);
            return text.empty();
        });
    }
    static void write(const UniqueFd& end, std::string_view text)
    {
        ASSERT_EQ(::send(end.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }
    std::string read_some(const UniqueFd& end, std::size_t least)
    {
        std::string text;
        await([&] {
            std::array<char, 65536> buffer{};
            const auto got = ::recv(end.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            return text.size() >= least;
        });
        return text;
    }
    /// Streams that the host's side may still open; asked by opening them all.
    std::size_t streams_left()
    {
        std::vector<std::shared_ptr<Answer<UniqueFd>>> all;
        for (std::size_t i = 0; i <= wire::max_streams; ++i) {
            all.push_back(begin(session->connect("", 80)));
        }
        await([&] { return std::all_of(all.begin(), all.end(), [](const auto& one) { return one->ended; }); });
        return static_cast<std::size_t>(
            std::count_if(all.begin(), all.end(), [](const auto& one) { return one->value.has_value(); }));
    }
};

TEST_F(GuestStreamsTest, ACommandHasItsFourStreamsAndEndsWithItsCode)
{
    auto what = command("cat");
    what.env = {bytes("A=\xff")};
    what.cwd = bytes("/srv");
    what.user = "nobody";
    const auto ends = exec(what);
    auto& [id, stream] = last();
    const auto& request = std::get<wire::Exec>(stream.request);
    EXPECT_THAT(request.argv, ElementsAre("cat"));
    EXPECT_THAT(request.environment, ElementsAre("A=\xff"));
    EXPECT_EQ(request.directory, "/srv");
    EXPECT_EQ(request.user, "nobody");
    EXPECT_FALSE(request.terminal);
    write(ends->value->input, "in");
    ::shutdown(ends->value->input.get(), SHUT_WR);
    await([&, &seen = stream] { return seen.eof; });
    EXPECT_EQ(stream.data, "in");
    guest->send(id, "out");
    guest->send(error_of(stream), "error");
    guest->tell(id, wire::Exited{.code = 3, .signal = {}});
    EXPECT_EQ(read_packet(ends->value->control), (json{{"exit", 3}}));
    EXPECT_EQ(read_all(ends->value->output), "out");
    EXPECT_EQ(read_all(ends->value->error), "error");
    await([&, &seen = stream] { return seen.closed.has_value(); });
    EXPECT_EQ(stream.closed, wire::CloseReason::Closed);
}

TEST_F(GuestStreamsTest, TheOutcomeComesAfterAllOutputAlsoToAClientThatReadsLate)
{
    const auto ends = exec();
    const auto id = last().first;
    const std::string text(wire::stream_window, 'x');
    send_all(id, text);
    guest->tell(id, wire::Exited{.code = {}, .signal = 9});
    EXPECT_TRUE(falls_asleep());
    char none = 0;
    EXPECT_LT(::recv(ends->value->control.get(), &none, 1, MSG_DONTWAIT | MSG_PEEK), 0);
    EXPECT_EQ(read_all(ends->value->output).size(), text.size());
    EXPECT_EQ(read_packet(ends->value->control), (json{{"signal", 9}}));
}

TEST_F(GuestStreamsTest, AnOutcomeOfNeitherCodeNorSignalIsALieOfWhichTheClientHears)
{
    for (const auto& lie : {json{{"kind", "exited"}}, json{{"kind", "exited"}, {"code", 1}, {"signal", 1}},
                            json{{"kind", "exited"}, {"code", 256}}, json{{"kind", "exited"}, {"signal", 0}},
                            json{{"kind", "exited"}, {"code", "0"}}, json{{"kind", "no such"}}, json::array()}) {
        const int before = connections;
        const auto ends = exec();
        guest->lie(last().first, FrameType::Message, json::to_cbor(lie));
        EXPECT_EQ(read_packet(ends->value->control)["error"], unavailable) << lie;
        EXPECT_EQ(read_all(ends->value->output), "");
        await([&] { return connections == before + 1 && guest->asked<wire::Configure>(); });
    }
    expect_served();
}

TEST_F(GuestStreamsTest, OutputBeyondTheCreditEndsTheConnectionAndTheClientKeepsWhatWasInOrder)
{
    const auto ends = exec();
    const auto id = last().first;
    const std::string text(wire::stream_window, 'x');
    send_all(id, text);
    // The client reads nothing, so no credit came back; but the socket's buffer took a part, which is counted as read.
    for (int i = 0; i < 20; ++i) {
        guest->lie(id, FrameType::Data, wire::Bytes(wire::max_payload, 'y'));
    }
    await([&] { return connections == 2; });
    const auto output = read_all(ends->value->output);
    EXPECT_GE(output.size(), text.size());
    EXPECT_LE(output.size(), 3 * text.size());
    EXPECT_EQ(output.substr(0, text.size()), text);
    EXPECT_EQ(read_packet(ends->value->control)["error"], unavailable);
    expect_served();
}

TEST_F(GuestStreamsTest, ARefusalBecomesTheErrorThatTheCommandLineKnows)
{
    guest->accepting = false;
    using enum wire::RefusedCode;
    const std::vector<std::pair<wire::RefusedCode, ErrorCode>> rows{
        {NotFound, ErrorCode::CommandNotFound},     {NotRunnable, ErrorCode::NotRunnable},
        {BadDirectory, ErrorCode::InvalidArgument}, {BadUser, ErrorCode::InvalidArgument},
        {BadRequest, ErrorCode::InvalidArgument},   {Limit, ErrorCode::Unavailable},
        {Unreachable, ErrorCode::Failed},           {Failed, ErrorCode::Failed}};
    for (const auto& [code, expected] : rows) {
        const auto ends = begin(session->exec(command()));
        const auto opened = guest->streams.size();
        await([&] { return guest->streams.size() > opened; });
        const auto id = last().first;
        guest->mux.drop_stream(error_of(last().second));
        guest->mux.refuse(id, wire::encode(wire::Refused{code, "n\xffo"}));
        guest->flush();
        await([&] { return ends->ended; });
        ASSERT_TRUE(ends->error);
        EXPECT_EQ(ends->error->code(), expected);
        EXPECT_STREQ(ends->error->what(), "n?o");
    }
    const auto copy = begin(session->copy_out(bytes("/nowhere")));
    await([&] { return std::holds_alternative<wire::CopyOut>(last().second.request); });
    guest->mux.refuse(last().first, wire::encode(wire::Refused{NotFound, "no"}));
    guest->flush();
    await([&] { return copy->ended; });
    EXPECT_EQ(copy->error->code(), ErrorCode::NotFound);
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestStreamsTest, ARefusalThatCanNotBeReadIsOneAllTheSame)
{
    guest->accepting = false;
    const auto ends = begin(session->connect("", 80));
    await([&] { return !guest->streams.empty(); });
    guest->mux.refuse(last().first, bytes("\xff"));
    guest->flush();
    await([&] { return ends->ended; });
    EXPECT_EQ(ends->error->code(), ErrorCode::CorruptData);
    guest->accepting = true;
    EXPECT_TRUE(connection());
}

TEST_F(GuestStreamsTest, AGuestThatEndsAStreamInsteadOfAnsweringIsAnError)
{
    guest->accepting = false;
    for (const bool politely : {true, false}) {
        const auto opened = guest->streams.size();
        const auto ends = begin(session->exec(command()));
        const auto plain = begin(session->connect("", 80));
        await([&] { return guest->streams.size() == opened + 2; });
        for (auto at = std::prev(guest->streams.end(), 2); at != guest->streams.end(); ++at) {
            // More than the client's socket takes: it must not be waited for.
            send_all(at->first, std::string(wire::stream_window, 'x'));
            politely ? guest->mux.close(at->first) : guest->mux.reset(at->first);
            guest->flush();
        }
        await([&] { return ends->ended && plain->ended; });
        ASSERT_TRUE(ends->error && plain->error);
        EXPECT_EQ(ends->error->code(), ErrorCode::Unavailable);
        EXPECT_EQ(plain->error->code(), ErrorCode::Unavailable);
    }
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestStreamsTest, AnOutcomeBeforeTheAnswerIsAnError)
{
    guest->accepting = false;
    const auto ends = begin(session->exec(command()));
    await([&] { return !guest->streams.empty(); });
    guest->tell(last().first, wire::Exited{.code = 0, .signal = {}});
    await([&] { return ends->ended; });
    ASSERT_TRUE(ends->error);
    EXPECT_EQ(ends->error->code(), ErrorCode::Unavailable);
}

TEST_F(GuestStreamsTest, OneStalledReaderStopsNoneOfTwoHundredAndFiftySix)
{
    constexpr std::size_t count = 256;
    std::vector<UniqueFd> ends;
    for (std::size_t i = 0; i < count; ++i) {
        ends.push_back(connection());
    }
    ASSERT_EQ(guest->streams.size(), count);
    const auto stalled = guest->streams.begin()->first;
    const std::string much(4 * wire::stream_window, 's');
    auto rest = std::string_view{much};
    await([&] {
        const auto left = guest->send(stalled, rest);
        const bool stuck = left.size() == rest.size() && left.size() < much.size() && guest->mux.room(stalled) == 0;
        rest = left;
        return stuck && falls_asleep();
    });
    // Its own window is all that waits, however large the socket's buffer is.
    EXPECT_GT(rest.size(), 0U);
    std::size_t at = 1;
    for (auto stream = std::next(guest->streams.begin()); stream != guest->streams.end(); ++stream, ++at) {
        const auto text = "out " + std::to_string(at);
        guest->send(stream->first, text);
        write(ends[at], "in " + std::to_string(at));
    }
    at = 1;
    for (auto stream = std::next(guest->streams.begin()); stream != guest->streams.end(); ++stream, ++at) {
        EXPECT_EQ(read_some(ends[at], 5), "out " + std::to_string(at));
        await([&, &seen = stream->second] { return seen.data == "in " + std::to_string(at); });
    }
    // The stalled one goes on where it stood.
    std::string text;
    await([&] {
        rest = guest->send(stalled, rest);
        std::array<char, 65536> buffer{};
        const auto got = ::recv(ends[0].get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return text.size() == much.size();
    });
    EXPECT_EQ(text, much);
}

TEST_F(GuestStreamsTest, AConnectionIsHalfClosedFromEitherEnd)
{
    for (const bool client_first : {true, false}) {
        const auto end = connection();
        const auto id = last().first;
        auto& stream = last().second;
        if (client_first) {
            write(end, "question");
            ::shutdown(end.get(), SHUT_WR);
            await([&] { return stream.eof; });
            send_all(id, "answer");
            guest->end(id);
            EXPECT_EQ(read_all(end), "answer");
        } else {
            send_all(id, "greeting");
            guest->end(id);
            EXPECT_EQ(read_all(end), "greeting");
            write(end, "late question");
            ::shutdown(end.get(), SHUT_WR);
            await([&] { return stream.eof; });
            EXPECT_EQ(stream.data, "late question");
        }
        await([&] { return stream.closed.has_value(); });
        EXPECT_EQ(stream.closed, wire::CloseReason::Closed);
    }
    EXPECT_TRUE(falls_asleep());
}

TEST_F(GuestStreamsTest, MuchDataGoesBothWaysWhole)
{
    const auto end = connection();
    const auto id = last().first;
    std::string text(3'000'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i * 31 + i / 4096);
    }
    std::string_view to_client{text};
    std::string_view to_guest{text};
    std::string seen;
    await([&] {
        to_client = guest->send(id, to_client);
        const auto sent = ::send(end.get(), to_guest.data(), to_guest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        to_guest.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
        std::array<char, 65536> buffer{};
        const auto got = ::recv(end.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        seen.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        return seen.size() == text.size() && last().second.data.size() == text.size();
    });
    EXPECT_TRUE(seen == text);
    EXPECT_TRUE(last().second.data == text);
}

TEST_F(GuestStreamsTest, AClientThatLeavesResetsItsCommand)
{
    auto ends = exec();
    auto& stream = last().second;
    ends->value.reset();
    await([&] { return stream.closed.has_value(); });
    EXPECT_EQ(stream.closed, wire::CloseReason::Reset);
    EXPECT_TRUE(falls_asleep());
    expect_served();
}

TEST_F(GuestStreamsTest, ADetachedCommandGoesOnWithoutItsClient)
{
    auto what = command();
    what.detached = true;
    auto ends = exec(what);
    const auto id = last().first;
    auto& stream = last().second;
    ends->value.reset();
    EXPECT_TRUE(falls_asleep());
    EXPECT_FALSE(stream.closed);
    send_all(id, std::string(3 * wire::stream_window, 'x'));  // goes nowhere, and stops nothing
    guest->tell(id, wire::Exited{.code = 0, .signal = {}});
    guest->close(id);
    expect_served();
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestStreamsTest, AClientThatClosesItsOutputStillHearsTheOutcome)
{
    auto ends = exec();
    const auto id = last().first;
    ends->value->output.reset();
    send_all(id, std::string(3 * wire::stream_window, 'x'));
    guest->tell(id, wire::Exited{.code = 7, .signal = {}});
    EXPECT_EQ(read_packet(ends->value->control), (json{{"exit", 7}}));
}

TEST_F(GuestStreamsTest, AClientThatClosesItsInputWhileTheGuestReadsNothingLetsTheLoopSleep)
{
    guest->consuming = false;
    auto ends = exec();
    auto& stream = last().second;
    const std::string text(4 * wire::stream_window, 'x');
    std::size_t written = 0;
    await([&] {
        const auto sent = ::send(ends->value->input.get(), text.data(), text.size() - written, MSG_DONTWAIT);
        written += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        return sent < 0 && stream.data.size() == wire::stream_window;
    });
    ends->value->input.reset();
    EXPECT_TRUE(falls_asleep());
    EXPECT_FALSE(stream.eof);
    // The guest reads on, and gets the rest and the end.
    guest->consuming = true;
    guest->mux.consume(last().first, stream.data.size());
    guest->flush();
    await([&] { return stream.eof; });
    EXPECT_EQ(stream.data.size(), written);
}

TEST_F(GuestStreamsTest, ControlPacketsThatAreNoJsonAreDropped)
{
    auto what = command();
    what.terminal = true;
    what.rows = 24;
    what.columns = 80;
    const auto ends = exec(what);
    auto& stream = last().second;
    EXPECT_EQ(std::get<wire::Exec>(stream.request).terminal->rows, 24);
    EXPECT_EQ(read_all(ends->value->error), "");
    for (const auto* packet :
         {"{", "\xff\xfe", "[]", "null", "17", "{}", R"({"signal":"9"})", R"({"signal":0})", R"({"signal":65})",
          R"({"signal":-1})", R"({"signal":1.5})", R"({"signal":18446744073709551615})", R"({"rows":0})",
          R"({"rows":65536,"columns":1})", R"({"signal":[9]})", "[[[[[[[[[[[[[[[[[[[[["}) {
        write(ends->value->control, packet);
    }
    write(ends->value->control, std::string(10'000, '{'));
    write(ends->value->control, R"({"signal":15,"rows":3})");
    write(ends->value->control, R"({"rows":50,"columns":132})");
    await([&] { return stream.messages.size() == 2; });
    EXPECT_EQ(std::get<wire::Signal>(stream.messages[0]).number, 15);
    EXPECT_EQ(std::get<wire::WindowSize>(stream.messages[1]).size.rows, 50);
    EXPECT_EQ(std::get<wire::WindowSize>(stream.messages[1]).size.columns, 132);
    EXPECT_FALSE(stream.closed);
}

TEST_F(GuestStreamsTest, WhatWasReceivedBeforeTheGuestDiedIsReadToTheEnd)
{
    const auto ends = exec();
    const auto plain = connection();
    const std::string text(wire::stream_window, 'x');
    const auto command_stream = guest->streams.begin()->first;
    send_all(command_stream, text);
    send_all(last().first, text);
    EXPECT_TRUE(falls_asleep());
    guest->die();
    await([&] { return connections == 2; });
    EXPECT_EQ(read_all(ends->value->output).size(), text.size());
    EXPECT_EQ(read_all(ends->value->error), "");
    const auto packet = read_packet(ends->value->control);
    EXPECT_EQ(packet["error"], unavailable);
    EXPECT_THAT(packet["message"], HasSubstr("lost"));
    EXPECT_EQ(read_all(plain).size(), text.size());
}

TEST_F(GuestStreamsTest, AStreamThatTheGuestGivesUpEndsWithAnError)
{
    const auto ends = exec();
    guest->mux.reset(last().first);
    guest->flush();
    EXPECT_THAT(read_packet(ends->value->control)["message"], HasSubstr("gave the stream up"));
    const auto early = exec();
    guest->close(last().first);
    EXPECT_THAT(read_packet(early->value->control)["message"], HasSubstr("too early"));
    const auto plain = connection();
    guest->mux.reset(last().first);
    guest->flush();
    EXPECT_EQ(read_all(plain), "");
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestStreamsTest, ACopyEndsWithItsCounts)
{
    const auto ends = run(session->copy_in(bytes("/srv")));
    ASSERT_TRUE(ends->value);
    EXPECT_EQ(std::get<wire::CopyIn>(last().second.request).directory, "/srv");
    write(ends->value->stream, "tar");
    ::shutdown(ends->value->stream.get(), SHUT_WR);
    auto& stream = last().second;
    await([&] { return stream.eof; });
    EXPECT_EQ(stream.data, "tar");
    guest->tell(last().first, wire::CopyDone{3, 1000, ""});
    EXPECT_EQ(read_packet(ends->value->control), (json{{"exit", 0}, {"entries", 3}, {"bytes", 1000}}));
}

TEST_F(GuestStreamsTest, ACopyThatFailsSaysSoEvenOfAPathThatIsNoText)
{
    const auto ends = run(session->copy_out(bytes("/srv")));
    ASSERT_TRUE(ends->value);
    send_all(last().first, "half a tar");
    guest->end(last().first);
    guest->tell(last().first, wire::CopyDone{0, 0, "can't read /srv/\xff"});
    EXPECT_EQ(read_all(ends->value->stream), "half a tar");
    const auto packet = read_packet(ends->value->control);
    EXPECT_EQ(packet["error"], "dev.banger.Error.Failed");
    EXPECT_THAT(packet["message"], HasSubstr("can't read /srv/"));
}

TEST_F(GuestStreamsTest, RequestsTooLargeCostNoStreams)
{
    auto large = command();
    large.argv.push_back(wire::Bytes(300'000, 'x'));
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(run(session->exec(large))->error->code(), ErrorCode::InvalidArgument);
    }
    EXPECT_EQ(streams_left(), wire::max_streams);
}

TEST_F(GuestStreamsTest, ACommandOfTooManyWordsIsRefusedWithTheirNumber)
{
    auto many = command();
    many.argv.resize(wire::Exec::most_words - 1, bytes("word"));
    many.env.push_back(bytes("A=1"));
    many.cwd = bytes("/srv");
    many.terminal = true;
    exec(many);
    EXPECT_EQ(std::get<wire::Exec>(last().second.request).argv.size(), many.argv.size());
    many.argv.resize(5000, bytes("word"));
    const auto streams = guest->streams.size();
    const auto refused = run(session->exec(many));
    ASSERT_TRUE(refused->error);
    EXPECT_EQ(refused->error->code(), ErrorCode::InvalidArgument);
    EXPECT_THAT(refused->error->what(), HasSubstr("5001 words"));
    EXPECT_EQ(guest->streams.size(), streams);
}

TEST_F(GuestStreamsTest, TooManyStreamsAreUnavailableAndEndedOnesMakeRoom)
{
    EXPECT_EQ(streams_left(), wire::max_streams);
    EXPECT_TRUE(falls_asleep());
    EXPECT_EQ(streams_left(), wire::max_streams);
    EXPECT_EQ(connections, 1);
}

TEST_F(GuestStreamsTest, AsManyAreJoinedAsTheLimitAllowsAndCommandsHaveRoom)
{
    limits.joined = 2;
    open_synced_session();
    std::vector<UniqueFd> clients;
    const auto join = [&] {
        auto pair = make_socket_pair(SOCK_STREAM);
        clients.push_back(std::move(pair.theirs));
        return run(with_value(session->join("localhost", 80, std::move(pair.ours))));
    };
    EXPECT_TRUE(join()->value);
    const auto command_ends = exec();  // has a control socket, so it is none of them
    EXPECT_TRUE(join()->value);
    const auto refused = join();
    ASSERT_TRUE(refused->error);
    EXPECT_EQ(refused->error->code(), ErrorCode::Unavailable);
    EXPECT_EQ(read_all(clients.back()), "") << "it hears of it at once";
    EXPECT_TRUE(run(session->connect("", 80))->value) << "the user's own are not limited";
    exec();
    clients.clear();
    EXPECT_TRUE(falls_asleep());
    EXPECT_TRUE(join()->value) << "those that ended made room";
}

TEST_F(GuestStreamsTest, WhoWaitsForTheGuestIsCountedUntilItIsLate)
{
    limits.joined = 2;
    limits.call = std::chrono::milliseconds{200};
    prepare = [](GuestEnd& end) { end.answering = false; };
    open_session();
    std::vector<UniqueFd> clients;
    const auto join = [&] {
        auto pair = make_socket_pair(SOCK_STREAM);
        clients.push_back(std::move(pair.theirs));
        return begin(with_value(session->join("localhost", 80, std::move(pair.ours))));
    };
    for (int round = 0; round < 2; ++round) {
        const auto first = join();
        const auto second = join();
        EXPECT_FALSE(first->ended || second->ended) << "round " << round;
        const auto third = join();
        EXPECT_TRUE(third->ended) << "round " << round;
        await([&] { return first->ended && second->ended; });
    }
}

/// Joins whose guest sends all it may, and then refuses, to clients that read nothing.
class RefusedJoinTest : public GuestStreamsTest {
protected:
    void SetUp() override
    {
        limits.joined = 2;
        open_synced_session();
        guest->accepting = false;
    }
    std::optional<ErrorCode> join()
    {
        auto pair = make_socket_pair(SOCK_STREAM);
        const int small = 4096;
        ::setsockopt(pair.ours.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        clients.push_back(std::move(pair.theirs));
        const auto streams = guest->streams.size();
        const auto answer = begin(with_value(session->join("localhost", 80, std::move(pair.ours))));
        EXPECT_TRUE(drive([&] { return answer->ended || guest->streams.size() > streams; }));
        if (!answer->ended) {
            const auto id = last().first;
            send_all(id, std::string(wire::stream_window, 'x'));
            guest->mux.refuse(id, wire::encode(wire::Refused{wire::RefusedCode::Unreachable, "no"}));
            guest->flush();
            EXPECT_TRUE(drive([&] { return answer->ended; }));
        }
        return answer->error ? std::optional{answer->error->code()} : std::nullopt;
    }
    std::vector<UniqueFd> clients;
};

TEST_F(RefusedJoinTest, OneThatIsNotReadTakesItsPlaceUntilItsClientLeaves)
{
    EXPECT_EQ(join(), ErrorCode::Failed);
    EXPECT_EQ(join(), ErrorCode::Failed);
    EXPECT_EQ(join(), ErrorCode::Unavailable);
    clients.erase(clients.begin());
    EXPECT_TRUE(falls_asleep());
    EXPECT_EQ(join(), ErrorCode::Failed);
    guest->die();
    await([&] { return connections == 2; });
    guest->accepting = false;
    EXPECT_EQ(join(), ErrorCode::Unavailable) << "a new connection to the guest makes no room";
    clients.clear();
}

TEST_F(RefusedJoinTest, OneThatIsNotReadIsDroppedInTheEnd)
{
    limits.unread = std::chrono::milliseconds{100};
    open_synced_session();
    guest->accepting = false;
    EXPECT_EQ(join(), ErrorCode::Failed);
    EXPECT_EQ(join(), ErrorCode::Failed);
    let_pass(std::chrono::milliseconds{200});
    EXPECT_LT(read_all(clients.front()).size(), wire::stream_window);
    EXPECT_EQ(join(), ErrorCode::Failed);
    clients.clear();
}

class EndingBangerdTest : public GuestStreamsTest {
protected:
    void TearDown() override { guest.reset(); }  // its loop turns no more
};

TEST_F(EndingBangerdTest, WhoIsConnectedIsNoReasonToAbort)
{
    const auto idle = connection();
    const auto slow = connection();
    const auto command_ends = exec();
    const std::string much(wire::stream_window, 'x');
    for (const auto& [id, stream] : guest->streams) {
        guest->send(id, much);
    }
    guest->say(wire::Response{guest->asked<wire::Configure>()->first, wire::Done{}});
    EXPECT_TRUE(falls_asleep());
    loop.quit(0);
    loop.run();
    session.reset();  // what throws there ends the test
}

TEST_F(GuestStreamsTest, AFrozenGuestIsSaidAsSuchAfterTheLimit)
{
    limits.request = std::chrono::milliseconds{60};
    open_synced_session();
    guest->accepting = false;
    const auto late = run(session->exec(command()));
    ASSERT_TRUE(late->error);
    EXPECT_EQ(late->error->code(), ErrorCode::TimedOut);
    EXPECT_THAT(late->error->what(), HasSubstr("banger vm logs"));
    const auto copy = run(session->copy_out(bytes("/etc")));
    ASSERT_TRUE(copy->error);
    EXPECT_EQ(copy->error->code(), ErrorCode::TimedOut);
}

TEST_F(GuestStreamsTest, DataBeforeTheAnswerIsKept)
{
    guest->accepting = false;
    const auto ends = begin(session->connect("192.0.2.1", 22));
    await([&] { return !guest->streams.empty(); });
    EXPECT_EQ(std::get<wire::Connect>(last().second.request).host, "192.0.2.1");
    guest->send(last().first, "SSH-2.0");
    EXPECT_TRUE(falls_asleep());
    EXPECT_FALSE(ends->ended);
    guest->mux.accept(last().first, wire::encode(wire::Opened{}));
    guest->flush();
    await([&] { return ends->ended; });
    EXPECT_EQ(read_some(*ends->value, 7), "SSH-2.0");
}

}  // namespace
}  // namespace banger::agent
