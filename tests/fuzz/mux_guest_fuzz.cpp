// SPDX-License-Identifier: GPL-2.0-or-later
// banger-guest's half: hosts that die anywhere, and bytes of any kind. Whatever came before, the next host is served.
#include "guest/wire/mux.hpp"
#include "tests/fuzz/mux_owner.hpp"
#include "tests/fuzz/mux_script.hpp"

namespace banger::fuzz {
namespace {

constexpr std::uint8_t last_epoch = 200;
constexpr std::uint8_t scripted = 1;
constexpr std::uint8_t writing = 2;

class Guest {
public:
    explicit Guest(bool writes) : owner{writes}
    {
        owner.mux = &mux;
        mux.set_hello({'h', 'i'});
    }

    void read(ByteView bytes, std::size_t piece)
    {
        for (Pieces pieces{bytes, piece}; pieces.any();) {
            if (!mux.wants_input()) {
                drain(mux);
            }
            mux.feed(pieces.next());
            demand(mux.streams() <= wire::max_streams, "streams are bounded");
        }
    }

    void serves_the_next_host()
    {
        drain(mux);
        const auto epoch = epoch_of(last_epoch);
        MuxScript host{epoch};
        host.sync(epoch);
        read(host.bytes(), 1000);
        demand(mux.synced(), "a Sync after zeros is always heard");
        const auto answer = drain(mux);
        wire::Hunter hunter{epoch};
        demand(hunter.feed(answer) && hunter.ack().version == wire::version_max, "and answered");
        demand(hunter.take_rest().empty(), "with nothing of older epochs behind it");
        carries_data(epoch);
    }

    MuxOwner owner;
    wire::Mux mux{owner};

private:
    void carries_data(const wire::Epoch& epoch)
    {
        constexpr wire::StreamId stream = 7;
        const wire::Bytes request(3, 'x');
        MuxScript host{epoch};
        host.frame(stream, wire::FrameType::Open, 0, request);
        host.frame(stream, wire::FrameType::Data, 0, wire::Bytes{'p', 'i', 'n', 'g', '!', '!', '!', '!'});
        read(host.bytes(), 5);
        demand(owner.received(stream) == "ping!!!!", "a stream of the new host carries data");
        mux.write(stream, wire::Bytes{'p', 'o', 'n', 'g'});
        const auto output = drain(mux);
        demand(text_of(output).find("pong") != std::string_view::npos, "both ways");
    }
};

void check(Choices choices)
{
    const auto mode = choices.byte();
    const bool writes = (mode & writing) != 0;
    Guest guest{writes};
    Guest other{writes};
    MuxScript script{epoch_of(1)};
    if ((mode & scripted) != 0) {
        MuxScript greeting{epoch_of(1)};
        greeting.sync(epoch_of(1));
        guest.read(greeting.bytes(), 0);
        other.read(greeting.bytes(), 0);
        while (choices.any()) {
            add_step(script, choices, wire::FrameType::Open);
        }
    } else {
        script.append(choices.rest());
    }
    guest.read(script.bytes(), 0);
    other.read(script.bytes(), 1 + mode / 4U);
    if (!writes) {  // credit is judged by what was written, and that depends on when output went out
        demand(other.owner.story() == guest.owner.story(), "where reads cut the bytes makes no difference");
        constexpr std::size_t most = std::size_t{3} << 20U;
        demand(script.bytes().size() > most / 4 || drain(guest.mux).size() <= most, "answers are bounded");
    }
    other.serves_the_next_host();
    guest.serves_the_next_host();
    guest.mux.disconnected();
    guest.serves_the_next_host();
}

}  // namespace
}  // namespace banger::fuzz

/// Shape: a mode, then bytes as they are or a script.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    banger::fuzz::check(banger::fuzz::Choices{{data, size}});
    return 0;
}
