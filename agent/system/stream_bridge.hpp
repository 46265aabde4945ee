// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

namespace banger::agent {

/// Bytes on their way to a local socket. What the socket does not take is kept, at most a stream's window, and counted as
/// consumed only when it is written, so that a client that doesn't read stops its own stream and no other.
class FdSink {
public:
    using Consumed = std::function<void(std::size_t)>;

    FdSink(EventLoop& loop, UniqueFd socket, Consumed consumed);
    void write(wire::ByteView data);
    /// Called once the client has closed its end.
    void on_broken(std::function<void()> broken) { on_broken_ = std::move(broken); }
    /// After what is queued: shuts the socket's write side down, then calls `drained`.
    void finish(std::function<void()> drained);
    bool finishing() const noexcept { return finishing_; }

private:
    /// False when the socket is full.
    bool write_some();
    void discard();
    void maybe_drained();

    UniqueFd socket_;
    EventLoop::Source source_;
    Consumed consumed_;
    std::deque<wire::Bytes> queue_;
    std::size_t offset_{0};  ///< into the first of the queue
    bool broken_{false};     ///< the client closed it: what comes is dropped
    bool finishing_{false};
    std::function<void()> drained_;
    std::function<void()> on_broken_;
};

/// What a bridge needs of the session that it belongs to.
class StreamOwner {
public:
    virtual ~StreamOwner() = default;
    virtual wire::Mux& mux() = 0;
    /// To be called after any use of mux().
    virtual void flush() = 0;
    /// The bridge is done; it may be destroyed soon after.
    virtual void forget(wire::StreamId stream) = 0;
};

/// Joins one mux stream, with its secondary one, to the sockets of a client. Loop thread.
class StreamBridge : public std::enable_shared_from_this<StreamBridge> {
public:
    /// Our ends; any may be none.
    struct Ends {
        UniqueFd input;                 ///< read from the client
        UniqueFd output;                ///< written to the client
        UniqueFd error;                 ///< written to the client, from the secondary stream
        UniqueFd control;               ///< SOCK_SEQPACKET, JSON: as in Vm.Exec; without it this is a plain connection
        std::shared_ptr<bool> count{};  ///< the bridge has a copy for as long as it lives
    };
    enum class OnHangUp { Reset, Leave };  ///< what the control socket's end means for the stream

    StreamBridge(EventLoop& loop, StreamOwner& owner, wire::StreamId stream, wire::StreamId secondary, Ends ends,
                 OnHangUp on_hang_up);

    /// Begins to move bytes; once Opened came.
    void start();
    void on_data(wire::StreamId stream, wire::ByteView data);
    void on_eof(wire::StreamId stream);
    void on_writable();
    void on_message(const wire::StreamMessage& message);
    void on_closed(wire::CloseReason reason);
    /// The guest is gone. The client of a plain connection, who may be anybody, has `unread` to read what it sent before.
    void on_lost(std::chrono::milliseconds unread);

private:
    void watch_input();
    void read_input();
    void read_control();
    void take_packet(const std::string& packet);
    /// Sends a packet after all output, then ends the bridge.
    void conclude(std::string packet);
    void end_outputs();
    void maybe_done();
    void finish();

    EventLoop* loop_;
    StreamOwner* owner_;                  ///< null once the connection to the guest is lost
    std::shared_ptr<StreamBridge> self_;  ///< then it owns itself until the client has read everything
    wire::StreamId stream_;
    wire::StreamId secondary_;
    UniqueFd input_;
    EventLoop::Source input_source_;
    std::unique_ptr<FdSink> output_;
    std::unique_ptr<FdSink> error_;
    UniqueFd control_;
    EventLoop::Source control_source_;
    std::shared_ptr<bool> count_;
    EventLoop::Source unread_;
    OnHangUp on_hang_up_;
    std::string last_packet_;
    bool has_control_;
    bool concluded_{false};
    bool input_ended_{false};
    bool output_drained_{false};
    bool output_broken_{false};
    bool error_drained_{false};
    bool done_{false};
};

}  // namespace banger::agent
