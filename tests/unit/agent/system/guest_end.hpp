// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/system/guest_session.hpp"
#include "agent/system/unix_socket.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent::test {

inline wire::Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// The guest's end of one connection, in the loop of the test: the guest's own Mux, and a way to lie past it.
class GuestEnd : private wire::MuxHandler {
public:
    struct Stream {
        wire::OpenRequest request;
        std::string data{};
        bool eof{false};
        std::vector<wire::StreamMessage> messages{};
        std::optional<wire::CloseReason> closed{};
    };

    GuestEnd(EventLoop& loop, UniqueFd socket) : socket_{std::move(socket)}
    {
        ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
        mux.set_hello(wire::encode(hello));
        source_ = loop.on_io(socket_.get(), EPOLLIN, [this](std::uint32_t events) {
            if ((events & EPOLLIN) != 0) {
                receive();
            }
            if (socket_) {
                flush();
            }
        });
    }

    /// Bytes as they are.
    void raw(wire::ByteView bytes)
    {
        drain_mux();
        out_.insert(out_.end(), bytes.begin(), bytes.end());
        flush();
    }
    /// A frame of this connection that the Mux knows nothing of.
    void lie(wire::StreamId stream, wire::FrameType type, wire::ByteView payload, std::uint8_t flags = 0)
    {
        wire::Bytes frame;
        wire::append_frame(frame, epoch->tag(), stream, type, flags, payload);
        raw(frame);
    }
    void say(const wire::Control& control) { raw_control(wire::encode(control)); }
    void raw_control(wire::ByteView payload)
    {
        mux.control(payload);
        flush();
    }
    /// Takes no more than credit allows; what was not taken.
    std::string_view send(wire::StreamId stream, std::string_view text)
    {
        const wire::ByteView bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
        const auto taken = mux.write(stream, bytes);
        flush();
        return text.substr(taken);
    }
    void tell(wire::StreamId stream, const wire::StreamMessage& message)
    {
        mux.message(stream, wire::encode(message));
        flush();
    }
    void end(wire::StreamId stream)
    {
        mux.end(stream);
        flush();
    }
    void close(wire::StreamId stream)
    {
        mux.close(stream);
        flush();
    }
    /// As a VMM that ends.
    void die()
    {
        source_.reset();
        socket_.reset();
    }
    void flush()
    {
        drain_mux();
        while (!out_.empty()) {
            const auto sent = ::send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent <= 0) {
                break;
            }
            out_.erase(out_.begin(), out_.begin() + sent);
        }
        if (source_) {
            source_.set_io_events(out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
        }
    }
    /// The request of this kind that came last; none when none came.
    template <typename Body>
    std::optional<std::pair<std::uint64_t, Body>> asked() const
    {
        for (auto at = controls.rbegin(); at != controls.rend(); ++at) {
            const auto* request = std::get_if<wire::Request>(&*at);
            const auto* body = request != nullptr ? std::get_if<Body>(&request->body) : nullptr;
            if (body != nullptr) {
                return std::pair{request->id, *body};
            }
        }
        return std::nullopt;
    }

    wire::Hello hello{
        .boot_id = "boot", .version = "0", .kernel = "6.1", .role = "service", .ready = false, .capabilities = {}};
    bool answering{true};              ///< else what comes is read and dropped
    bool accepting{true};              ///< else an open gets no answer
    bool consuming{true};              ///< else no credit is given back
    bool connected{true};              ///< until the host closes
    std::optional<wire::Epoch> epoch;  ///< once the host's Sync came
    std::vector<wire::Control> controls;
    std::map<wire::StreamId, Stream> streams;
    wire::Mux mux{static_cast<wire::MuxHandler&>(*this)};

private:
    void receive()
    {
        static std::array<std::uint8_t, 65536> buffer;
        const auto got = ::read(socket_.get(), buffer.data(), buffer.size());
        if (got <= 0) {
            connected = false;
            die();
            return;
        }
        const wire::ByteView bytes{buffer.data(), static_cast<std::size_t>(got)};
        if (!epoch && hunter_.feed(bytes)) {
            epoch = hunter_.sync().epoch;
        }
        if (answering) {
            mux.feed(bytes);
        }
    }
    void drain_mux()
    {
        while (answering && mux.wants_write()) {
            const auto bytes = mux.output();
            out_.insert(out_.end(), bytes.begin(), bytes.end());
            mux.sent(bytes.size());
        }
    }

    void on_synced(wire::ByteView) override {}
    void on_lost(std::string_view) override { streams.clear(); }
    void on_control(wire::ByteView payload) override { controls.push_back(wire::decode_control(payload)); }
    void on_open(wire::StreamId stream, wire::ByteView payload) override
    {
        auto request = wire::decode_open(payload);
        if (const auto* exec = std::get_if<wire::Exec>(&request); exec != nullptr && exec->stderr_stream != 0) {
            EXPECT_TRUE(mux.add_stream(exec->stderr_stream));
        }
        streams.emplace(stream, Stream{std::move(request)});
        if (accepting) {
            mux.accept(stream, wire::encode(wire::Opened{1}));
        }
    }
    void on_opened(wire::StreamId, wire::ByteView) override {}
    void on_refused(wire::StreamId, wire::ByteView) override {}
    void on_data(wire::StreamId stream, wire::ByteView data) override
    {
        streams.at(stream).data.append(data.begin(), data.end());
        if (consuming) {
            mux.consume(stream, data.size());
        }
    }
    void on_eof(wire::StreamId stream) override { streams.at(stream).eof = true; }
    void on_writable(wire::StreamId) override {}
    void on_message(wire::StreamId stream, wire::ByteView payload) override
    {
        streams.at(stream).messages.push_back(wire::decode_message(payload));
    }
    void on_closed(wire::StreamId stream, wire::CloseReason reason) override
    {
        const auto at = streams.find(stream);  // a secondary one isn't there
        if (at != streams.end()) {
            at->second.closed = reason;
        }
    }

    UniqueFd socket_;
    EventLoop::Source source_;
    wire::Bytes out_;
    wire::Hunter hunter_;
};

/// A session and the guest at the other end of its channel; a session that connects again gets a new guest.
class SessionTest : public LoopTest {
protected:
    GuestSession& open_session(GuestSettings settings = {}, UniqueFd knocks = {})
    {
        GuestLinkEvents events;
        events.ready = [this] { ++readies; };
        events.goodbye = [this](GuestGoodbye kind) { goodbyes.push_back(kind); };
        events.failed = [this](const std::string& why) { failures.push_back(why); };
        session = std::make_unique<GuestSession>(loop, GuestDoor{[this] { return connect(); }, std::move(knocks)},
                                                 std::move(settings), std::move(events), limits);
        return *session;
    }
    /// A session whose guest is configured: what a VM that runs has.
    GuestSession& open_synced_session()
    {
        open_session();
        await([&] { return guest->asked<wire::Configure>().has_value(); });
        return *session;
    }
    /// One whose guest was ready before bangerd came.
    GuestSession& open_kept_session()
    {
        prepare = [](GuestEnd& end) {
            end.hello.ready = true;
            end.mux.set_hello(wire::encode(end.hello));
        };
        GuestSettings settings;
        settings.keep = true;
        return open_session(settings);
    }
    void await(const std::function<bool()>& done) { ASSERT_TRUE(drive(done)) << "it did not come to pass"; }
    /// Nothing comes to the loop by itself: it sleeps. Settles what is still on its way before.
    bool falls_asleep()
    {
        constexpr int most = 50'000;
        constexpr std::uint64_t microseconds = 30'000;
        for (int i = 0; i < most; ++i) {
            if (sd_event_run(loop.get(), microseconds) == 0) {
                return true;
            }
        }
        return false;
    }
    /// The session is whole: it asks, the guest answers, also after a loss.
    void expect_served()
    {
        const auto asked_before = guest->asked<wire::Stats>();
        const auto answer = begin(session->query("stats", {}));
        await([&] {
            const auto asked = guest->asked<wire::Stats>();
            return answer->ended || (asked && (!asked_before || asked->first != asked_before->first));
        });
        ASSERT_FALSE(answer->ended) << answer->error->what();
        wire::StatsResult stats;
        stats.memory_total = 4711;
        guest->say(wire::Response{guest->asked<wire::Stats>()->first, stats});
        await([&] { return answer->ended; });
        ASSERT_TRUE(answer->value) << answer->error->what();
        EXPECT_EQ((*answer->value)["memory_total"], 4711);
    }
    /// What a client reads until the end.
    std::string read_all(const UniqueFd& end)
    {
        std::string text;
        const bool ended = drive([&] {
            std::array<char, 65536> buffer{};
            const auto got = ::recv(end.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            text.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            return got == 0;
        });
        EXPECT_TRUE(ended) << "the stream goes on";
        return text;
    }
    /// The packet that ends a stream.
    nlohmann::json read_packet(const UniqueFd& control)
    {
        std::array<char, 4096> buffer{};
        ssize_t got = -1;
        EXPECT_TRUE(drive([&] {
            got = ::recv(control.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
            return got >= 0;
        })) << "no packet came";
        return nlohmann::json::parse(buffer.data(), buffer.data() + std::max<ssize_t>(got, 0), nullptr, false);
    }

    /// What a bridge of an ended session still does for its client.
    void TearDown() override
    {
        session.reset();
        guest.reset();
        EXPECT_TRUE(falls_asleep());
    }
    static Task<Unit> with_value(Task<void> task)
    {
        co_await task;
        co_return Unit{};
    }

    int connections{0};
    int readies{0};
    std::vector<GuestGoodbye> goodbyes;
    std::vector<std::string> failures;
    GuestLimits limits{};
    std::function<void(GuestEnd&)> prepare = [](GuestEnd&) {};
    std::unique_ptr<GuestEnd> guest;
    std::unique_ptr<GuestSession> session;

private:
    UniqueFd connect()
    {
        ++connections;
        auto pair = make_socket_pair(SOCK_STREAM);
        guest = std::make_unique<GuestEnd>(loop, std::move(pair.theirs));
        prepare(*guest);
        return std::move(pair.ours);
    }
};

}  // namespace banger::agent::test
