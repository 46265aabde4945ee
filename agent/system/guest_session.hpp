// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>

#include "agent/ports/guest_link.hpp"
#include "agent/system/stream_bridge.hpp"

namespace banger::agent {

/// How long a guest may take, and how much may lead into it.
struct GuestLimits {
    std::chrono::milliseconds call{10'000};     ///< to be up, for a call that comes before
    std::chrono::milliseconds request{30'000};  ///< to answer one
    /// From a guest's first bytes to its answer to our Sync. One that was just restarted (its banger-guest) may have lost the Sync with
    /// what its kernel had not yet handed out, and would wait as we do.
    std::chrono::milliseconds handshake{10'000};
    /// To answer while its connection is up and somebody knocks; else that connection leads nowhere.
    std::chrono::milliseconds knock{3'000};
    /// Connections of join() at once, with those that wait for the guest and those whose client has yet to read what came. A forwarded port
    /// is open to every user of the host, and each connection takes descriptors of ours and a stream, which commands need, too.
    std::size_t joined{256};
    /// For the client of such a connection to read what the guest sent before it refused it or was lost.
    std::chrono::milliseconds unread{30'000};
};

/// GuestLink over the wire format of guest/README.md: one connection, many streams. After a loss it connects again: at the guest's knock
/// where there are knocks, and after pauses that grow while it doesn't help.
class GuestSession final : public GuestLink, private wire::MuxHandler, private StreamOwner {
public:
    GuestSession(EventLoop& loop, GuestDoor door, GuestSettings settings, GuestLinkEvents events,
                 GuestLimits limits = {});
    ~GuestSession() override;

    Task<GuestCommandEnds> exec(GuestCommand command) override;
    Task<UniqueFd> connect(std::string host, std::uint16_t port) override;
    Task<void> join(std::string host, std::uint16_t port, UniqueFd client) override;
    Task<GuestCopyEnds> copy_in(Bytes directory) override;
    Task<GuestCopyEnds> copy_out(Bytes path) override;
    Task<nlohmann::json> query(std::string what, Bytes argument) override;
    void tell_names(std::vector<HostName> names) override;
    void tell_time() override;
    std::chrono::steady_clock::time_point last_use() const noexcept override;
    Task<void> shut_down(std::chrono::milliseconds limit) override;
    std::optional<GuestGoodbye> last_goodbye() override;

private:
    struct Opening {
        std::shared_ptr<StreamBridge> bridge;
        Promise<Unit> opened;
        bool is_command;
    };

    // guest_session.cpp: the connection
    void connect_now();
    void lose_connection(std::string_view why);
    void listen_for_knocks();
    void on_knock();
    void begin_anew();
    void probe();
    Task<void> probe_now();
    void on_channel(std::uint32_t events);
    /// False when nothing came.
    bool read_channel();
    void watch_channel();
    void after_mux();
    void configure();
    void tell_ready();
    Task<void> configure_now();
    void send_names();
    Task<void> send_names_now();
    void send_time();
    Task<void> send_time_now();
    Task<wire::ResponseBody> request(wire::RequestBody body, std::chrono::milliseconds limit);
    /// Runs `call` from the loop, unless this is gone by then: nobody is called from inside the mux.
    void later(std::function<void()> call);
    void require_synced() const;
    /// Waits for the channel to be up. Throws Unavailable after `limit`.
    Task<void> synced(std::chrono::milliseconds limit);

    // guest_streams.cpp: the streams
    Task<void> open_stream(wire::OpenRequest request, wire::StreamId secondary, StreamBridge::Ends ends,
                           StreamBridge::OnHangUp on_hang_up);
    Task<void> lead(std::string host, std::uint16_t port, UniqueFd client);
    void require_room_to_join() const;
    /// Of a stream that ended before the guest answered its open.
    void fail_opening(wire::StreamId stream);
    std::shared_ptr<StreamBridge> bridge_of(wire::StreamId stream) const;

    wire::Mux& mux() override { return *mux_; }
    void flush() override;
    void forget(wire::StreamId stream) override;

    void on_synced(wire::ByteView hello) override;
    void on_lost(std::string_view why) override;
    void on_control(wire::ByteView payload) override;
    void on_open(wire::StreamId, wire::ByteView) override {}
    void on_opened(wire::StreamId stream, wire::ByteView payload) override;
    void on_refused(wire::StreamId stream, wire::ByteView payload) override;
    void on_data(wire::StreamId stream, wire::ByteView data) override;
    void on_eof(wire::StreamId stream) override;
    void on_writable(wire::StreamId stream) override;
    void on_message(wire::StreamId stream, wire::ByteView payload) override;
    void on_closed(wire::StreamId stream, wire::CloseReason reason) override;

    EventLoop* loop_;
    GuestDoor door_;
    EventLoop::Source knock_source_;
    EventLoop::Source knock_rest_;
    bool probing_{false};
    GuestSettings settings_;
    GuestLinkEvents events_;
    GuestLimits limits_;

    UniqueFd channel_;
    EventLoop::Source channel_source_;
    std::unique_ptr<wire::Mux> mux_;
    bool in_mux_{false};           ///< inside feed(): output is flushed after it
    bool lost_{false};             ///< the mux is spent; it goes once feed() has returned
    EventLoop::Source handshake_;  ///< the limit of one that has begun
    EventLoop::Source reconnect_;
    std::chrono::milliseconds pause_;
    bool waiting_for_output_{false};
    std::uint32_t channel_events_{0};
    std::vector<Promise<Unit>> waiting_for_sync_;

    std::optional<std::vector<HostName>> names_;       ///< that it is to know; none: what it knows stays
    std::optional<std::vector<HostName>> told_names_;  ///< that it knows
    bool sending_names_{false};
    bool time_due_{false};  ///< its clock may be wrong, and it has not been told
    bool telling_time_{false};

    std::uint64_t next_request_{1};
    std::unordered_map<std::uint64_t, Promise<wire::ResponseBody>> requests_;
    std::unordered_map<wire::StreamId, Opening> opening_;
    std::unordered_map<wire::StreamId, std::shared_ptr<StreamBridge>> bridges_;
    std::unordered_map<wire::StreamId, wire::StreamId> primary_of_;  ///< of secondary streams
    /// Each bridge of a plain connection has one more of these, also when it is in no map of ours any more.
    std::shared_ptr<bool> count_{std::make_shared<bool>(true)};
    std::chrono::steady_clock::time_point last_use_{std::chrono::steady_clock::now()};
    bool was_ready_{false};
    std::optional<GuestGoodbye> goodbye_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

class GuestSessions final : public GuestLinks {
public:
    explicit GuestSessions(EventLoop& loop) : loop_{&loop} {}
    std::unique_ptr<GuestLink> open(GuestDoor door, GuestSettings settings, GuestLinkEvents events) override
    {
        return std::make_unique<GuestSession>(*loop_, std::move(door), std::move(settings), std::move(events));
    }

private:
    EventLoop* loop_;
};

}  // namespace banger::agent
