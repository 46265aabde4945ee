// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>
#include <utility>

#include "guest/wire/mux.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {

/// The owner of a Mux, who holds it to its promises and writes down what it says. What he does in return follows from what he was
/// told alone, so that the same bytes in other pieces give the same story.
class MuxOwner : public wire::MuxHandler {
public:
    explicit MuxOwner(bool writes) : writes_{writes} {}

    wire::Mux* mux{nullptr};
    /// What happened, a line each; on_writable() is not in it, as it depends on when output goes out.
    const std::string& story() const noexcept { return story_; }
    const std::string& received(wire::StreamId stream) { return streams_[stream].text; }
    int times_lost() const noexcept { return times_lost_; }
    bool has(wire::StreamId stream) const { return streams_.contains(stream); }

    /// A stream that this side made.
    void add(wire::StreamId stream)
    {
        demand(streams_.emplace(stream, Stream{}).second, "a new stream has a free number");
    }

    void on_synced(wire::ByteView hello) override
    {
        demand(streams_.empty(), "no stream outlives its epoch");
        demand(hello.size() <= wire::max_hello, "a hello is short");
        synced_ = true;
        tell("synced", 0, hello);
    }
    void on_lost(std::string_view why) override
    {
        demand(!why.empty(), "a loss has a reason");
        demand(synced_ || times_lost_ == 0, "a loss is told once");
        synced_ = false;
        ++times_lost_;
        streams_.clear();
        tell("lost", 0, {reinterpret_cast<const std::uint8_t*>(why.data()), why.size()});
    }
    void on_control(wire::ByteView payload) override
    {
        tell("control", 0, payload);
        mux->control(payload.first(std::min<std::size_t>(payload.size(), 8)));
    }
    void on_open(wire::StreamId stream, wire::ByteView payload) override
    {
        tell("open", stream, payload);
        add(stream);
        switch (payload.size() % 4) {
            case 0:
                mux->refuse(stream, payload);
                streams_.erase(stream);
                break;
            case 1:
                break;  // not yet
            case 2:
                if (const wire::StreamId second = stream + 3; mux->add_stream(second)) {
                    add(second);
                }
                [[fallthrough]];
            default:
                mux->accept(stream, payload);
                write(stream);
        }
    }
    void on_opened(wire::StreamId stream, wire::ByteView payload) override
    {
        tell("opened", stream, payload);
        demand(!std::exchange(live(stream).opened, true), "an open has one answer");
        write(stream);
    }
    void on_refused(wire::StreamId stream, wire::ByteView payload) override
    {
        tell("refused", stream, payload);
        demand(!live(stream).opened, "an open has one answer");
        const auto second = live(stream).second;
        streams_.erase(stream);
        streams_.erase(second);
    }
    void on_data(wire::StreamId stream, wire::ByteView data) override
    {
        tell("data", stream, data);
        auto& record = live(stream);
        demand(!data.empty() && !record.eof, "data comes before its end");
        record.unconsumed += data.size();
        demand(record.unconsumed <= wire::stream_window, "nobody is given more than a window");
        record.text.append(data.begin(), data.end());
        record.text.resize(std::min<std::size_t>(record.text.size(), 64));
        react(stream, data);
    }
    void on_eof(wire::StreamId stream) override
    {
        tell("eof", stream, {});
        demand(!std::exchange(live(stream).eof, true), "data ends once");
    }
    void on_writable(wire::StreamId stream) override
    {
        live(stream);
        write(stream);
    }
    void on_message(wire::StreamId stream, wire::ByteView payload) override
    {
        tell("message", stream, payload);
        demand(payload.size() <= wire::max_message, "a message is not longer than the longest");
        live(stream);
        mux->message(stream, payload.first(std::min<std::size_t>(payload.size(), 8)));
    }
    void on_closed(wire::StreamId stream, wire::CloseReason reason) override
    {
        tell(reason == wire::CloseReason::Closed ? "closed" : "reset", stream, {});
        live(stream);
        streams_.erase(stream);
    }
    void set_second(wire::StreamId stream, wire::StreamId second) { streams_[stream].second = second; }

private:
    struct Stream {
        std::size_t unconsumed{0};
        std::string text;  ///< its first bytes
        wire::StreamId second{0};
        bool opened{false};
        bool eof{false};
    };

    Stream& live(wire::StreamId stream)
    {
        const auto at = streams_.find(stream);
        demand(at != streams_.end(), "events are of streams that are open");
        return at->second;
    }

    void tell(const char* what, wire::StreamId stream, wire::ByteView bytes)
    {
        std::uint32_t sum = 0;
        for (const auto byte : bytes) {
            sum = sum * 31 + byte;
        }
        story_ += std::string{what} + " " + std::to_string(stream) + " " + std::to_string(bytes.size()) + " " +
                  std::to_string(sum) + "\n";
    }

    void react(wire::StreamId stream, wire::ByteView data)
    {
        auto& record = streams_[stream];
        switch (data.size() % 8) {
            case 1:
                mux->end(stream);
                break;
            case 2:
                mux->close(stream);
                streams_.erase(stream);
                break;
            case 3:
                mux->reset(stream);
                streams_.erase(stream);
                break;
            case 4:
            case 5: {  // some of it, or all
                const auto count = data.size() % 8 == 4 ? record.unconsumed / 2 : record.unconsumed;
                mux->consume(stream, count);
                record.unconsumed -= count;
                break;
            }
            case 6:
                write(stream);
                break;
            default:
                break;  // a client that does not read
        }
    }

    void write(wire::StreamId stream)
    {
        if (writes_) {
            static const wire::Bytes zeros(100'000, 0);
            const auto room = mux->room(stream);
            const auto count = mux->write(stream, zeros);
            demand(count == std::min(room, zeros.size()), "what there is room for is taken");
        }
    }

    bool writes_;
    bool synced_{false};
    int times_lost_{0};
    std::string story_;
    std::map<wire::StreamId, Stream> streams_;
};

/// Cuts bytes as reads would: small pieces first, then others.
class Pieces {
public:
    /// `first`: the size of the small ones; 0: all is one piece.
    Pieces(ByteView bytes, std::size_t first) : rest_{bytes}, first_{first} {}
    ByteView next()
    {
        constexpr std::size_t small_ones = 64;
        constexpr std::size_t largest = 40'000;
        ++turn_;
        const auto size = first_ == 0 ? rest_.size() : turn_ <= small_ones ? first_ : 1 + turn_ * 7919 % largest;
        const auto piece = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(piece.size());
        return piece;
    }
    bool any() const noexcept { return !rest_.empty(); }

private:
    ByteView rest_;
    std::size_t first_;
    std::size_t turn_{0};
};

/// Takes all output.
inline wire::Bytes drain(wire::Mux& mux)
{
    wire::Bytes all;
    while (mux.wants_write()) {
        const auto output = mux.output();
        demand(!output.empty(), "what wants to be written is there");
        all.insert(all.end(), output.begin(), output.end());
        mux.sent(output.size());
    }
    return all;
}

}  // namespace banger::fuzz
