// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/mux.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace banger::wire::test {

inline Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

/// Remembers all that a Mux says; answers each open with accept, and consumes all data at once unless told otherwise.
class Recorder : public MuxHandler {
public:
    void on_synced(ByteView hello) override
    {
        ++synced;
        hello_text.assign(hello.begin(), hello.end());
    }
    void on_lost(std::string_view why) override
    {
        ++lost;
        lost_why = why;
        streams.clear();
    }
    void on_control(ByteView payload) override { controls.emplace_back(payload.begin(), payload.end()); }
    void on_open(StreamId stream, ByteView payload) override
    {
        streams[stream].open.assign(payload.begin(), payload.end());
        if (accepting) {
            mux->accept(stream, bytes("yes"));
        } else {
            mux->refuse(stream, bytes("no"));
        }
    }
    void on_opened(StreamId stream, ByteView) override { streams[stream].opened = true; }
    void on_refused(StreamId stream, ByteView) override { streams[stream].refused = true; }
    void on_data(StreamId stream, ByteView data) override
    {
        auto& record = streams[stream];
        record.data.append(data.begin(), data.end());
        if (consuming && !record.stalled) {
            mux->consume(stream, data.size());
        }
    }
    void on_eof(StreamId stream) override { streams[stream].eof = true; }
    void on_writable(StreamId stream) override { pump(stream); }
    void on_message(StreamId stream, ByteView payload) override
    {
        streams[stream].messages.emplace_back(payload.begin(), payload.end());
        streams[stream].data_at_message = streams[stream].data.size();
    }
    void on_closed(StreamId stream, CloseReason reason) override { streams[stream].closed = reason; }

    /// Goes on writing what is left of `to_send`.
    void pump(StreamId stream)
    {
        auto& record = streams[stream];
        while (record.sent < record.to_send.size()) {
            const auto rest =
                ByteView{reinterpret_cast<const std::uint8_t*>(record.to_send.data()), record.to_send.size()}.subspan(
                    record.sent);
            const auto count = mux->write(stream, rest);
            if (count == 0) {
                return;
            }
            record.sent += count;
        }
    }
    void send(StreamId stream, std::string text)
    {
        streams[stream].to_send += text;
        pump(stream);
    }

    struct Record {
        std::string open, data, to_send;
        std::size_t sent{0};
        std::size_t data_at_message{0};
        bool opened{false}, refused{false}, eof{false}, stalled{false};
        std::optional<CloseReason> closed;
        std::vector<std::string> messages;
    };
    Mux* mux{nullptr};
    int synced{0}, lost{0};
    std::string hello_text, lost_why;
    bool accepting{true}, consuming{true};
    std::vector<std::string> controls;
    std::map<StreamId, Record> streams;
};

inline Epoch epoch_of(std::uint8_t seed)
{
    Epoch epoch;
    for (std::size_t i = 0; i < epoch.bytes.size(); ++i) {
        epoch.bytes[i] = static_cast<std::uint8_t>(seed * 31U + i * 7U);
    }
    return epoch;
}

/// A host and a guest with a lossless byte channel between them, which outlives host connections as virtio-serial does.
class Pair {
public:
    Pair()
    {
        guest.mux = &guest_mux;
        guest_mux.set_hello(bytes("hello"));
    }

    /// A new host; the older one, if there is one, is dead where it stands.
    void connect(std::uint8_t seed = 1)
    {
        host = std::make_unique<Recorder>();
        host_mux = std::make_unique<Mux>(*host, epoch_of(seed));
        host->mux = host_mux.get();
    }

    /// Moves at most `count` bytes; how many moved.
    std::size_t to_guest(std::size_t count = SIZE_MAX) { return move(*host_mux, guest_mux, count); }
    std::size_t to_host(std::size_t count = SIZE_MAX) { return move(guest_mux, *host_mux, count); }
    void settle()
    {
        while (to_guest() + to_host() > 0) {
        }
    }

    Recorder guest;
    Mux guest_mux{guest};
    std::unique_ptr<Recorder> host;
    std::unique_ptr<Mux> host_mux;

private:
    static std::size_t move(Mux& from, Mux& to, std::size_t count)
    {
        const auto view = from.output();
        const Bytes piece(view.begin(), view.begin() + static_cast<std::ptrdiff_t>(std::min(count, view.size())));
        from.sent(piece.size());
        to.feed(piece);
        return piece.size();
    }
};

}  // namespace banger::wire::test
