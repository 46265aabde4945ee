// SPDX-License-Identifier: GPL-2.0-or-later
//
// The mux alone, host and guest in one process: what the wire format costs without a VM between.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "guest/wire/mux.hpp"

namespace {

using namespace banger::wire;

/// Takes all data and says yes to every stream.
class Sink : public MuxHandler {
public:
    void on_synced(ByteView) override {}
    void on_lost(std::string_view) override {}
    void on_control(ByteView) override {}
    void on_open(StreamId stream, ByteView) override { mux->accept(stream, {}); }
    void on_opened(StreamId, ByteView) override {}
    void on_refused(StreamId, ByteView) override {}
    void on_data(StreamId stream, ByteView data) override
    {
        bytes += data.size();
        mux->consume(stream, data.size());
    }
    void on_eof(StreamId) override {}
    void on_writable(StreamId) override {}
    void on_message(StreamId, ByteView) override {}
    void on_closed(StreamId, CloseReason) override {}

    Mux* mux{nullptr};
    std::size_t bytes{0};
};

void move_bytes(Mux& from, Mux& to)
{
    while (from.wants_write()) {
        const auto view = from.output();
        const Bytes piece(view.begin(), view.end());
        from.sent(piece.size());
        to.feed(piece);
    }
}

/// Bytes from host to guest over this many streams at once, each written to in turn.
void transfer(benchmark::State& state)
{
    Sink host;
    Sink guest;
    Mux guest_mux{guest};
    Mux host_mux{host, Epoch::random()};
    guest.mux = &guest_mux;
    host.mux = &host_mux;
    move_bytes(host_mux, guest_mux);
    move_bytes(guest_mux, host_mux);
    std::vector<StreamId> streams;
    for (auto count = state.range(0); count > 0; --count) {
        streams.push_back(host_mux.open({}));
        move_bytes(host_mux, guest_mux);
        move_bytes(guest_mux, host_mux);
    }
    const Bytes block(64U << 10U, 0x5a);
    for ([[maybe_unused]] auto unused : state) {
        for (const auto stream : streams) {
            host_mux.write(stream, block);
        }
        move_bytes(host_mux, guest_mux);
        move_bytes(guest_mux, host_mux);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(guest.bytes));
}
BENCHMARK(transfer)->Arg(1)->Arg(16)->Arg(256);

}  // namespace

BENCHMARK_MAIN();
