// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/mux.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <limits>

namespace banger::wire {
namespace {

/// Data waits in its streams above this, so that a control frame never waits behind more.
constexpr std::size_t bulk_limit = std::size_t{128} << 10U;
/// What one stream may write in its turn while others wait.
constexpr std::size_t turn_size = max_payload;
/// Answers that the peer doesn't read, before we read no more from it.
constexpr std::size_t output_limit = std::size_t{1} << 20U;
/// Credit is returned in pieces of at least this, to keep small frames few.
constexpr std::uint32_t credit_step = stream_window / 4;

void check_size(ByteView payload)
{
    if (payload.size() > max_message) {
        throw Error{ErrorCode::InvalidArgument, "The message to the guest is larger than 256 KiB"};
    }
}

}  // namespace

Mux::Mux(MuxHandler& handler, const Epoch& epoch)
    : handler_{handler}, side_{Side::Host}, epoch_{epoch}, tag_{epoch.tag()}, hunter_{epoch}
{
    out_.assign(max_frame, 0);
    const Bytes sync = encode(Sync{version_min, version_max, epoch});
    out_.insert(out_.end(), sync.begin(), sync.end());
}

Mux::Mux(MuxHandler& handler) : handler_{handler}, side_{Side::Guest} { out_.assign(max_frame, 0); }

bool Mux::wants_input() const noexcept { return urgent_.size() + bulk_.size() < output_limit; }

bool Mux::wants_write() const noexcept { return out_sent_ < out_.size() || !urgent_.empty() || !bulk_.empty(); }

void Mux::refill()
{
    if (out_sent_ < out_.size()) {
        return;
    }
    out_.clear();
    out_sent_ = 0;
    out_.swap(urgent_.empty() ? bulk_ : urgent_);
}

ByteView Mux::output()
{
    refill();
    return ByteView{out_}.subspan(out_sent_);
}

void Mux::sent(std::size_t count)
{
    out_sent_ += std::min(count, out_.size() - out_sent_);
    refill();
    dispatch_writers();
}

Mux::Stream* Mux::find(StreamId stream) noexcept
{
    const auto entry = streams_.find(stream);
    return entry == streams_.end() ? nullptr : &entry->second;
}

Mux::Stream* Mux::find_live(StreamId stream) noexcept
{
    auto* found = find(stream);
    return found != nullptr && !found->close_sent ? found : nullptr;
}

void Mux::put_structured(Bytes& queue, StreamId stream, FrameType type, ByteView payload)
{
    check_size(payload);
    do {
        const auto part = payload.first(std::min(payload.size(), max_payload));
        payload = payload.subspan(part.size());
        append_frame(queue, tag_, stream, type, payload.empty() ? std::uint8_t{0} : flag_more, part);
    } while (!payload.empty());
}

void Mux::control(ByteView payload)
{
    if (synced()) {
        put_structured(urgent_, control_stream, FrameType::Control, payload);
    }
}

bool Mux::add_stream(StreamId stream)
{
    if (stream == control_stream || streams_.size() >= max_streams || streams_.contains(stream)) {
        return false;
    }
    streams_[stream].answered = true;
    return true;
}

StreamId Mux::add_stream()
{
    if (!synced() || streams_.size() >= max_streams) {
        throw Error{ErrorCode::Unavailable, synced() ? "Too many streams to this VM are open at once"
                                                     : "The connection to the guest is not up"};
    }
    while (next_stream_ == control_stream || streams_.contains(next_stream_)) {
        ++next_stream_;
    }
    streams_[next_stream_].answered = true;
    return next_stream_++;
}

StreamId Mux::open(ByteView payload, StreamId secondary)
{
    check_size(payload);  // before it costs a number
    const StreamId id = add_stream();
    auto& stream = streams_[id];
    stream.answered = false;
    stream.secondary = secondary;
    put_structured(urgent_, id, FrameType::Open, payload);
    return id;
}

void Mux::accept(StreamId stream, ByteView payload)
{
    auto* found = find_live(stream);
    if (found != nullptr && !found->answered) {
        found->answered = true;
        put_structured(urgent_, stream, FrameType::Opened, payload);
    }
}

void Mux::refuse(StreamId stream, ByteView payload)
{
    auto* found = find_live(stream);
    if (found != nullptr && !found->answered) {
        found->answered = true;
        found->close_sent = true;
        put_structured(urgent_, stream, FrameType::Refused, payload);
    }
}

void Mux::wait_for_turn(StreamId id, Stream& stream)
{
    if (stream.send_credit == 0) {
        stream.wants_credit = true;
    } else if (!stream.waiting) {
        stream.waiting = true;
        writers_.push_back(id);
    }
}

std::size_t Mux::room(StreamId stream)
{
    auto* found = find_live(stream);
    if (!synced() || found == nullptr || found->eof_sent) {
        return 0;
    }
    std::size_t room = bulk_.size() >= bulk_limit ? 0 : std::min<std::size_t>(found->send_credit, bulk_limit);
    if (turn_ == stream) {
        room = std::min(room, turn_left_);
    } else if (!writers_.empty()) {
        room = 0;
    }
    if (room == 0) {
        wait_for_turn(stream, *found);
    }
    return room;
}

std::size_t Mux::write(StreamId stream, ByteView data)
{
    const std::size_t count = std::min(room(stream), data.size());
    if (count == 0) {
        return 0;
    }
    auto& found = *find(stream);
    for (auto rest = data.first(count); !rest.empty();) {
        const auto part = rest.first(std::min(rest.size(), max_payload));
        append_frame(bulk_, tag_, stream, FrameType::Data, 0, part);
        rest = rest.subspan(part.size());
    }
    found.send_credit -= static_cast<std::uint32_t>(count);
    if (turn_ == stream) {
        turn_left_ -= count;
    }
    if (count < data.size()) {
        wait_for_turn(stream, found);
    }
    return count;
}

/// Lets each waiting stream write in turn, as long as there is room; one that wants more goes to the end of the line.
void Mux::dispatch_writers()
{
    if (dispatching_) {
        return;
    }
    dispatching_ = true;
    while (!writers_.empty() && bulk_.size() < bulk_limit) {
        const StreamId id = writers_.front();
        writers_.pop_front();
        auto* stream = find_live(id);
        if (stream == nullptr || !stream->waiting) {
            continue;
        }
        stream->waiting = false;
        turn_ = id;
        turn_left_ = writers_.empty() ? std::numeric_limits<std::size_t>::max() : turn_size;
        handler_.on_writable(id);
    }
    turn_ = control_stream;
    dispatching_ = false;
}

void Mux::consume(StreamId stream, std::size_t count)
{
    auto* found = find_live(stream);
    if (found == nullptr) {
        return;
    }
    const auto done = static_cast<std::uint32_t>(std::min<std::size_t>(count, found->unconsumed));
    found->unconsumed -= done;
    found->unreturned += done;
    if (found->unreturned >= credit_step && !found->eof_received) {
        Bytes credit;
        put_u32(credit, found->unreturned);
        append_frame(urgent_, tag_, stream, FrameType::Credit, 0, credit);
        found->receive_left += found->unreturned;
        found->unreturned = 0;
    }
}

void Mux::end(StreamId stream)
{
    auto* found = find_live(stream);
    if (found != nullptr && !found->eof_sent) {
        found->eof_sent = true;
        append_frame(bulk_, tag_, stream, FrameType::Eof, 0, {});
    }
}

void Mux::message(StreamId stream, ByteView payload)
{
    if (find_live(stream) != nullptr) {
        // Behind the data, not with the urgent ones: "exited" must come after the output.
        put_structured(bulk_, stream, FrameType::Message, payload);
    }
}

void Mux::finish(StreamId stream, FrameType type)
{
    auto* found = find_live(stream);
    if (found != nullptr) {
        found->close_sent = true;
        append_frame(bulk_, tag_, stream, type, 0, {});
    }
}

}  // namespace banger::wire
