// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/mux.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace banger::wire {
namespace {

bool is_structured(FrameType type) noexcept
{
    return type == FrameType::Control || type == FrameType::Open || type == FrameType::Opened ||
           type == FrameType::Refused || type == FrameType::Message;
}

/// Whether the peer of `side` may send such a frame on such a stream.
bool may_send(Mux::Side side, StreamId stream, FrameType type) noexcept
{
    switch (type) {
        case FrameType::Control:
            return stream == control_stream;
        case FrameType::Open:
            return side == Mux::Side::Guest && stream != control_stream;
        case FrameType::Opened:
        case FrameType::Refused:
            return side == Mux::Side::Host && stream != control_stream;
        case FrameType::Data:
        case FrameType::Eof:
        case FrameType::Credit:
        case FrameType::Message:
        case FrameType::Reset:
        case FrameType::Close:
            return stream != control_stream;
    }
    return false;
}

}  // namespace

void Mux::feed(ByteView in)
{
    while (!in.empty() && state_ != State::Failed) {
        in = state_ == State::Hunting ? hunt(in) : parse(in);
    }
    dispatch_writers();
}

ByteView Mux::hunt(ByteView in)
{
    // In pieces, so that the hunter's memory stays small.
    const auto piece = in.first(std::min(in.size(), max_frame));
    in = in.subspan(piece.size());
    if (!hunter_.feed(piece)) {
        return in;
    }
    if (side_ == Side::Host) {
        synced_by(hunter_.ack());
    } else {
        synced_by(hunter_.sync());
    }
    const Bytes rest = hunter_.take_rest();
    for (ByteView view{rest}; !view.empty() && state_ != State::Failed;) {
        view = state_ == State::Hunting ? hunt(view) : parse(view);
    }
    return in;
}

void Mux::synced_by(const Sync& sync)
{
    const auto version = std::min(sync.version_max, version_max);
    const bool agreed = version >= std::max(sync.version_min, version_min);
    epoch_ = sync.epoch;
    tag_ = sync.epoch.tag();
    // Frames of an older epoch, half a one perhaps: the new host skips whatever comes before its SyncAck.
    out_ = encode(SyncAck{sync.epoch, agreed ? version : std::uint16_t{0}, hello_});
    out_sent_ = 0;
    urgent_.clear();
    bulk_.clear();
    if (agreed) {
        state_ = State::Synced;
        handler_.on_synced({});
    }
}

void Mux::synced_by(const SyncAck& ack)
{
    if (ack.version < version_min || ack.version > version_max) {
        lose("the guest's banger-guest speaks another version of the protocol");
        return;
    }
    state_ = State::Synced;
    handler_.on_synced(ack.hello);
}

/// Takes one frame where `in` holds it whole, else what there is of it. Returns the rest.
ByteView Mux::parse(ByteView in)
{
    if (!partial_.empty() || in.size() < header_size) {
        return gather(in);
    }
    const auto header = read_header(in);
    if (!header_holds(header)) {
        broken("bad frame header");
        return in;  // a guest hunts in these very bytes
    }
    const std::size_t whole = header_size + header.length + trailer_size;
    if (in.size() < whole) {
        return gather(in);
    }
    take_frame(in.first(whole));
    return in.subspan(whole);
}

/// Collects a frame that comes in pieces.
ByteView Mux::gather(ByteView in)
{
    const auto top_up = [&](std::size_t size) {
        const auto more = in.first(std::min(in.size(), size - std::min(size, partial_.size())));
        partial_.insert(partial_.end(), more.begin(), more.end());
        in = in.subspan(more.size());
        return partial_.size() >= size;
    };
    if (!top_up(header_size)) {
        return in;
    }
    const auto header = read_header(partial_);
    if (!header_holds(header)) {
        const Bytes bytes = std::exchange(partial_, {});
        broken("bad frame header");
        if (state_ == State::Hunting) {
            hunt(bytes);
        }
        return in;
    }
    if (top_up(header_size + header.length + trailer_size)) {
        whole_.swap(partial_);
        partial_.clear();
        take_frame(whole_);
    }
    return in;
}

bool Mux::header_holds(const FrameHeader& header) const noexcept
{
    return header.tag == tag_ && header.length <= max_payload && header.reserved == 0 &&
           (header.flags & ~flag_more) == 0 && may_send(side_, header.stream, header.type) &&
           (header.flags == 0 || is_structured(header.type));
}

void Mux::take_frame(ByteView frame)
{
    const auto header = read_header(frame);
    if (get_u32(frame.last(trailer_size)) != tag_) {
        broken("bad end of a frame");
        return;
    }
    const auto payload = frame.subspan(header_size, header.length);
    if (message_of_ && *message_of_ != std::pair{header.stream, header.type}) {
        broken("a message that was not finished");
    } else if (is_structured(header.type)) {
        take_structured(header, payload);
    } else {
        deliver(header.stream, header.type, payload);
    }
}

void Mux::take_structured(const FrameHeader& header, ByteView payload)
{
    const bool more = (header.flags & flag_more) != 0;
    if (!more && !message_of_) {
        deliver(header.stream, header.type, payload);
        return;
    }
    if (message_.size() + payload.size() > max_message) {
        broken("a message that is too long");
        return;
    }
    message_.insert(message_.end(), payload.begin(), payload.end());
    message_of_.emplace(header.stream, header.type);
    if (!more) {
        message_of_.reset();
        const Bytes message = std::exchange(message_, {});
        deliver(header.stream, header.type, message);
    }
}

void Mux::deliver(StreamId id, FrameType type, ByteView payload)
{
    if (type == FrameType::Control) {
        handler_.on_control(payload);
        return;
    }
    if (type == FrameType::Open) {
        take_open(id, payload);
        return;
    }
    if (find(id) == nullptr) {
        broken("a stream that is not open");
        return;
    }
    switch (type) {
        case FrameType::Opened:
            take_opened(id, payload);
            break;
        case FrameType::Refused:
            take_refused(id, payload);
            break;
        case FrameType::Data:
            take_data(id, payload);
            break;
        case FrameType::Eof:
            take_eof(id);
            break;
        case FrameType::Credit:
            take_credit(id, payload);
            break;
        case FrameType::Message:
            if (find_live(id) != nullptr) {
                handler_.on_message(id, payload);
            }
            break;
        default:
            take_close(id, type == FrameType::Close ? CloseReason::Closed : CloseReason::Reset);
    }
}

void Mux::take_open(StreamId id, ByteView payload)
{
    if (streams_.contains(id) || streams_.size() >= max_streams) {
        broken("a stream too many");
        return;
    }
    streams_.emplace(id, Stream{});
    handler_.on_open(id, payload);
}

void Mux::take_opened(StreamId id, ByteView payload)
{
    auto& stream = *find(id);
    if (std::exchange(stream.answered, true)) {
        broken("a second answer to an open");
    } else if (!stream.close_sent) {
        handler_.on_opened(id, payload);
    }
}

void Mux::take_refused(StreamId id, ByteView payload)
{
    const auto stream = *find(id);
    if (stream.answered) {
        broken("a second answer to an open");
        return;
    }
    if (!stream.close_sent) {
        append_frame(bulk_, tag_, id, FrameType::Close, 0, {});
    }
    streams_.erase(stream.secondary);  // a guest that refuses never had it
    streams_.erase(id);
    if (!stream.close_sent) {
        handler_.on_refused(id, payload);
    }
}

void Mux::take_data(StreamId id, ByteView payload)
{
    auto& stream = *find(id);
    if (stream.eof_received || payload.size() > stream.receive_left) {
        broken("data beyond the credit");
        return;
    }
    const auto size = static_cast<std::uint32_t>(payload.size());
    stream.receive_left -= size;
    stream.unconsumed += size;
    if (!stream.close_sent && size > 0) {
        handler_.on_data(id, payload);
    }
}

void Mux::take_credit(StreamId id, ByteView payload)
{
    auto& stream = *find(id);
    if (payload.size() != sizeof(std::uint32_t) || get_u32(payload) > stream_window - stream.send_credit) {
        broken("credit beyond the window");
        return;
    }
    stream.send_credit += get_u32(payload);
    if (stream.wants_credit && stream.send_credit > 0) {
        stream.wants_credit = false;
        wait_for_turn(id, stream);
    }
}

void Mux::take_eof(StreamId id)
{
    auto& stream = *find(id);
    if (std::exchange(stream.eof_received, true)) {
        broken("a second end of data");
    } else if (!stream.close_sent) {
        handler_.on_eof(id);
    }
}

void Mux::take_close(StreamId id, CloseReason reason)
{
    const bool answered = find(id)->close_sent;
    streams_.erase(id);
    if (!answered) {
        append_frame(bulk_, tag_, id, FrameType::Close, 0, {});
        handler_.on_closed(id, reason);
    }
}

void Mux::disconnected()
{
    lose("the connection was closed");
    out_.clear();
    out_sent_ = 0;
    if (side_ == Side::Guest) {
        hunter_ = Hunter{};
    }
}

void Mux::broken(std::string_view rule) { lose("the peer broke the protocol: " + std::string{rule}); }

/// Forgets the connection. A guest sends zeros, so that a host that thinks all is well notices.
void Mux::lose(std::string_view why)
{
    const bool told = state_ == State::Failed || (side_ == Side::Guest && state_ == State::Hunting);
    streams_.clear();
    writers_.clear();
    partial_.clear();
    message_.clear();
    message_of_.reset();
    urgent_.clear();
    bulk_.clear();
    out_.clear();
    out_sent_ = 0;
    if (side_ == Side::Host) {
        state_ = State::Failed;
    } else if (state_ == State::Synced) {
        state_ = State::Hunting;
        hunter_ = Hunter{};
        out_.assign(max_frame, 0);
    }
    if (!told) {
        handler_.on_lost(why);
    }
}

}  // namespace banger::wire
