// SPDX-License-Identifier: GPL-2.0-or-later
// bangerd's half, with a guest that lies. It may lose its own connection; it may not get more than its share of anything, and what
// the host sends stays well formed.
#include <set>

#include "guest/wire/mux.hpp"
#include "tests/fuzz/mux_owner.hpp"
#include "tests/fuzz/mux_script.hpp"

namespace banger::fuzz {
namespace {

constexpr std::uint8_t scripted = 1;
constexpr std::uint8_t writing = 2;
constexpr std::uint8_t strange_version = 4;

/// Reads all that a host's Mux sends, as a strict guest would.
class StrictReader {
public:
    StrictReader(const wire::Epoch& epoch, const MuxScript& script) : tag_{epoch.tag()}, script_{&script} {}

    void read(const wire::Bytes& output)
    {
        bytes_.insert(bytes_.end(), output.begin(), output.end());
        if (greeted_ < wire::max_frame + sync_size) {
            const auto count = std::min(bytes_.size(), wire::max_frame + sync_size - greeted_);
            bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
            greeted_ += count;
        }
        std::size_t at = 0;
        while (bytes_.size() - at >= wire::header_size) {
            const ByteView rest = ByteView{bytes_}.subspan(at);
            const auto header = wire::read_header(rest);
            const auto whole = wire::header_size + header.length + wire::trailer_size;
            demand(header.tag == tag_ && header.length <= wire::max_payload && header.reserved == 0, "a sound header");
            if (rest.size() < whole) {
                break;
            }
            demand(wire::get_u32(rest.subspan(whole - wire::trailer_size)) == tag_, "a sound end");
            take(header);
            at += whole;
        }
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at));
    }

private:
    static constexpr std::size_t sync_size = 32;

    void take(const wire::FrameHeader& header)
    {
        using enum wire::FrameType;
        const auto stream = header.stream;
        demand((header.type == Control) == (stream == wire::control_stream), "stream 0 is for control alone");
        demand(header.type != Opened && header.type != Refused, "a host answers no open");
        demand(!closed_.contains(stream), "a stream is closed once, and silent then");
        if (header.type == Data) {
            demand(!ended_.contains(stream), "no data after its end");
            sent_[stream] += header.length;
            demand(sent_[stream] <= wire::stream_window + script_->credits(stream), "no data without credit");
        } else if (header.type == Eof) {
            demand(ended_.insert(stream).second, "one end of data");
        } else if (header.type == Close || header.type == Reset) {
            closed_.insert(stream);
        }
    }

    std::uint32_t tag_;
    const MuxScript* script_;
    std::size_t greeted_{0};
    wire::Bytes bytes_;
    std::map<wire::StreamId, std::uint64_t> sent_;
    std::set<wire::StreamId> ended_, closed_;
};

/// Opens some streams as soon as the guest is there.
class Opener : public MuxOwner {
public:
    using MuxOwner::MuxOwner;
    void on_synced(wire::ByteView hello) override
    {
        MuxOwner::on_synced(hello);
        const wire::Bytes request{'r', 'u', 'n'};
        const auto second = mux->add_stream();
        add(second);
        const auto first = mux->open(request, second);
        add(first);
        set_second(first, second);
        for (int i = 0; i < 4; ++i) {
            add(mux->open(request));
        }
    }
};

/// The whole story of one connection.
std::string run(const MuxScript& script, const wire::Epoch& epoch, bool writes, std::size_t piece)
{
    Opener owner{writes};
    wire::Mux mux{owner, epoch};
    owner.mux = &mux;
    StrictReader reader{epoch, script};
    for (Pieces pieces{script.bytes(), piece}; pieces.any();) {
        if (!mux.wants_input() || writes) {
            reader.read(drain(mux));
        }
        mux.feed(pieces.next());
        demand(mux.streams() <= wire::max_streams, "streams are bounded");
        demand(owner.times_lost() <= 1, "a host's Mux is lost once");
        demand(owner.times_lost() == 0 || (!mux.synced() && mux.streams() == 0), "and then done");
    }
    if (owner.times_lost() == 0) {
        reader.read(drain(mux));
    }
    return owner.story();
}

void check(Choices choices)
{
    const auto mode = choices.byte();
    const auto epoch = epoch_of(1);
    MuxScript script{epoch};
    if ((mode & scripted) != 0) {
        const auto version = static_cast<std::uint16_t>((mode & strange_version) != 0 ? choices.byte() : 1);
        script.append(wire::encode(wire::SyncAck{epoch, version, {'h', 'i'}}));
        while (choices.any()) {
            add_step(script, choices, wire::FrameType::Control);
        }
    } else {
        script.append(choices.rest());
    }
    const bool writes = (mode & writing) != 0;
    const auto story = run(script, epoch, writes, 0);
    const auto other = run(script, epoch, writes, 1 + mode / 8U);
    // Where it writes, credit is judged by what was written, and that depends on when output went out.
    demand(writes || other == story, "where reads cut the bytes makes no difference");
}

}  // namespace
}  // namespace banger::fuzz

/// Shape: a mode, then bytes as they are or a script.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    banger::fuzz::check(banger::fuzz::Choices{{data, size}});
    return 0;
}
