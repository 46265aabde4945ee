// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/frame.hpp"
#include "guest/wire/handshake.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace banger::wire {

enum class CloseReason {
    Closed,  ///< the peer is done with the stream
    Reset,   ///< the peer gave it up
};

/// What a Mux tells its owner, always from inside feed() or sent(). Every member of the Mux may be called from here;
/// destroying the Mux may not. Payloads are views into the Mux, valid during the call; structured ones are CBOR of
/// messages.hpp, not yet checked.
class MuxHandler {
public:
    virtual ~MuxHandler() = default;
    /// Both sides agree on an epoch. Host: `hello` is the guest's. Guest: `hello` is empty; streams of an older epoch
    /// were ended by on_lost() before.
    virtual void on_synced(ByteView hello) = 0;
    /// The connection is gone, or the peer broke a rule: every stream is forgotten, without on_closed(). A guest hunts
    /// for the next Sync by itself. A host's Mux is spent: close the connection, make a new one and a new Mux.
    virtual void on_lost(std::string_view why) = 0;
    virtual void on_control(ByteView payload) = 0;
    /// Guest only: answer with accept() or refuse(), now or later. Data may come before the answer.
    virtual void on_open(StreamId stream, ByteView payload) = 0;
    virtual void on_opened(StreamId stream, ByteView payload) = 0;
    /// Host only. The stream, and its secondary one, are gone.
    virtual void on_refused(StreamId stream, ByteView payload) = 0;
    /// The owner takes all of it, at most stream_window bytes not yet given to consume().
    virtual void on_data(StreamId stream, ByteView data) = 0;
    virtual void on_eof(StreamId stream) = 0;
    /// A write() or room() that was cut short has room again.
    virtual void on_writable(StreamId stream) = 0;
    virtual void on_message(StreamId stream, ByteView payload) = 0;
    /// The peer ended the stream; forget it. Nothing more comes, and calls that name it do nothing.
    virtual void on_closed(StreamId stream, CloseReason reason) = 0;
};

/// Many streams over one byte channel: a state machine without I/O, for both sides. Loop of an owner:
///
///   readable:  if (mux.wants_input()) mux.feed(bytes read);       // reading 64-256 KiB at once is fastest
///   writable:  n = write(fd, mux.output()); mux.sent(n);          // while mux.wants_write()
///   and after every call into the Mux: look at wants_write() again.
///
/// Everything is bounded: streams by max_streams, received data by the windows, output by the limits in mux.cpp. A peer
/// that breaks a rule makes on_lost(), never an exception.
class Mux {
public:
    enum class Side { Host, Guest };

    /// Host: begins a connection with `epoch` at once (zeros, then Sync). `handler` outlives the Mux.
    Mux(MuxHandler& handler, const Epoch& epoch);
    /// Guest: waits for a Sync. Zeros are sent first, so that a host in the middle of an older connection (a guest
    /// program that was restarted) notices.
    explicit Mux(MuxHandler& handler);
    Mux(const Mux&) = delete;
    Mux& operator=(const Mux&) = delete;
    ~Mux() = default;

    // The byte channel.
    void feed(ByteView in);
    /// False while the peer has too many answers to read first; feed() no more until output went out.
    bool wants_input() const noexcept;
    bool wants_write() const noexcept;
    /// Bytes for the channel; valid until the next call of any non-const member.
    ByteView output();
    /// `count` bytes of output() went out. May call on_writable().
    void sent(std::size_t count);
    /// Guest: the channel's other end left. on_lost() if it was synced; bytes not yet sent are dropped.
    void disconnected();
    bool synced() const noexcept { return state_ == State::Synced; }

    // Guest.
    /// CBOR for the next SyncAck.
    void set_hello(Bytes hello) { hello_ = std::move(hello); }
    void accept(StreamId stream, ByteView payload);
    void refuse(StreamId stream, ByteView payload);
    /// Registers the number that the host chose for a secondary stream. False: it is taken or there are too many.
    [[nodiscard]] bool add_stream(StreamId stream);
    /// Takes add_stream() back, before the refuse() of the stream it belongs to.
    void drop_stream(StreamId stream) { streams_.erase(stream); }

    // Host.
    /// A number for a secondary stream, to be named in an Open. Throws Unavailable at max_streams.
    StreamId add_stream();
    /// Opens a stream. `secondary` (0: none) is from add_stream(). Throws Unavailable when not synced or at
    /// max_streams.
    StreamId open(ByteView payload, StreamId secondary = 0);

    // Both.
    void control(ByteView payload);
    /// The bytes that write() would take now; at 0, on_writable() follows.
    std::size_t room(StreamId stream);
    /// Takes as many bytes as credit and the stream's turn allow; when fewer than all, on_writable() follows.
    std::size_t write(StreamId stream, ByteView data);
    /// `count` bytes of on_data() are dealt with: the peer may send as many more.
    void consume(StreamId stream, std::size_t count);
    /// Half close: no more write() on this stream.
    void end(StreamId stream);
    void message(StreamId stream, ByteView payload);
    /// Done with the stream: no more events of it come.
    void close(StreamId stream) { finish(stream, FrameType::Close); }
    void reset(StreamId stream) { finish(stream, FrameType::Reset); }
    std::size_t streams() const noexcept { return streams_.size(); }

private:
    enum class State { Hunting, Synced, Failed };

    struct Stream {
        std::uint32_t send_credit{stream_window};
        std::uint32_t receive_left{stream_window};  ///< what the peer may still send
        std::uint32_t unreturned{0};                ///< consumed, credit not sent yet
        std::uint32_t unconsumed{0};                ///< given to on_data(), not consumed
        StreamId secondary{0};
        bool waiting{false};       ///< in writers_
        bool wants_credit{false};  ///< goes into writers_ with the next Credit
        bool eof_sent{false};
        bool eof_received{false};
        bool answered{false};  ///< Opened or Refused went by
        bool close_sent{false};
    };

    // mux.cpp: output
    Stream* find(StreamId stream) noexcept;
    Stream* find_live(StreamId stream) noexcept;
    void finish(StreamId stream, FrameType type);
    void put_structured(Bytes& queue, StreamId stream, FrameType type, ByteView payload);
    void wait_for_turn(StreamId id, Stream& stream);
    void dispatch_writers();
    void refill();

    // mux_input.cpp
    ByteView hunt(ByteView in);
    void synced_by(const Sync& sync);
    void synced_by(const SyncAck& ack);
    ByteView parse(ByteView in);
    ByteView gather(ByteView in);
    bool header_holds(const FrameHeader& header) const noexcept;
    void take_frame(ByteView frame);
    void take_structured(const FrameHeader& header, ByteView payload);
    void deliver(StreamId stream, FrameType type, ByteView payload);
    void take_open(StreamId id, ByteView payload);
    void take_opened(StreamId id, ByteView payload);
    void take_data(StreamId id, ByteView payload);
    void take_credit(StreamId id, ByteView payload);
    void take_eof(StreamId id);
    void take_close(StreamId id, CloseReason reason);
    void take_refused(StreamId id, ByteView payload);
    void lose(std::string_view why);
    void broken(std::string_view rule);

    MuxHandler& handler_;
    Side side_;
    State state_{State::Hunting};
    Epoch epoch_;
    std::uint32_t tag_{0};
    Hunter hunter_;
    Bytes hello_;
    std::unordered_map<StreamId, Stream> streams_;
    StreamId next_stream_{1};

    Bytes partial_;  ///< the start of a frame whose end has not come
    Bytes whole_;    ///< the frame at hand, if it came in pieces
    Bytes message_;  ///< the parts so far of a structured payload
    std::optional<std::pair<StreamId, FrameType>> message_of_;

    // Three buffers and no copying between them: out_ goes to the channel; when it is empty, the one to go next takes
    // its place, urgent_ first.
    Bytes out_;
    std::size_t out_sent_{0};
    Bytes urgent_;
    Bytes bulk_;

    std::deque<StreamId> writers_;  ///< streams that wait for their turn
    StreamId turn_{0};              ///< whose turn it is inside dispatch_writers()
    std::size_t turn_left_{0};
    bool dispatching_{false};
};

}  // namespace banger::wire
