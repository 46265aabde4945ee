// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>

#include "guest/wire/handshake.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {

inline wire::Epoch epoch_of(std::uint8_t seed)
{
    wire::Epoch epoch;
    for (std::size_t i = 0; i < epoch.bytes.size(); ++i) {
        epoch.bytes[i] = static_cast<std::uint8_t>(seed * 31U + i * 7U);
    }
    return epoch;
}

/// Bytes of a peer that knows the tag and nothing else of the rules: the fuzzer's choices become frames, whole or cut, handshakes and
/// rubbish. One step of make_script(): a kind, then what that kind takes.
class MuxScript {
public:
    enum class Step : std::uint8_t { Frame, BigData, Credit, Handshake, Rubbish, CutFrame, BadEnd };
    static constexpr unsigned steps = 7;
    static constexpr unsigned streams = 8;

    explicit MuxScript(const wire::Epoch& epoch) : tag_{epoch.tag()} {}

    void append(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    void sync(const wire::Epoch& epoch)
    {
        bytes_.resize(bytes_.size() + wire::max_frame, 0);
        append(wire::encode(wire::Sync{wire::version_min, wire::version_max, epoch}));
        tag_ = epoch.tag();
    }
    void frame(wire::StreamId stream, wire::FrameType type, std::uint8_t flags, ByteView payload)
    {
        wire::append_frame(bytes_, tag_, stream, type, flags, payload);
    }
    void credit(wire::StreamId stream, std::uint32_t count)
    {
        wire::Bytes payload;
        wire::put_u32(payload, count);
        frame(stream, wire::FrameType::Credit, 0, payload);
        credits_[stream] += count;
    }
    void drop_end(std::size_t count) { bytes_.resize(bytes_.size() - std::min(count, bytes_.size())); }

    const wire::Bytes& bytes() const noexcept { return bytes_; }
    std::uint64_t credits(wire::StreamId stream) const
    {
        const auto at = credits_.find(stream);
        return at == credits_.end() ? 0 : at->second;
    }

private:
    wire::Bytes bytes_;
    std::uint32_t tag_;
    std::map<wire::StreamId, std::uint64_t> credits_;
};

inline void add_frame(MuxScript& script, Choices& choices)
{
    const auto stream = choices.byte() % MuxScript::streams;
    const auto type = static_cast<wire::FrameType>(choices.byte() % 12);
    const auto flags = static_cast<std::uint8_t>(choices.byte() & 1U);
    const auto size = choices.byte();
    const auto payload = choices.bytes(size);
    if (type == wire::FrameType::Credit && payload.size() == 4) {
        script.credit(stream, wire::get_u32(payload));
    } else {
        script.frame(stream, type, flags, payload);
    }
}

inline void add_step(MuxScript& script, Choices& choices, wire::FrameType big_type)
{
    static const wire::Bytes zeros(wire::max_payload + 1, 0);
    switch (static_cast<MuxScript::Step>(choices.byte() % MuxScript::steps)) {
        case MuxScript::Step::Frame:
            add_frame(script, choices);
            break;
        case MuxScript::Step::BigData: {
            const auto stream = choices.byte() % MuxScript::streams;
            const bool is_data = (choices.byte() & 1U) == 0;
            const auto size = std::min<std::size_t>(choices.number(), zeros.size());
            script.frame(stream, is_data ? wire::FrameType::Data : big_type, is_data ? 0 : 1,
                         ByteView{zeros}.first(size));
            break;
        }
        case MuxScript::Step::Credit: {
            const auto stream = choices.byte() % MuxScript::streams;
            script.credit(stream, std::uint32_t{choices.number()} << 3U);
            break;
        }
        case MuxScript::Step::Handshake:
            script.sync(epoch_of(choices.byte()));
            break;
        case MuxScript::Step::Rubbish:
            script.append(choices.bytes(choices.byte()));
            break;
        case MuxScript::Step::CutFrame:
            add_frame(script, choices);
            script.drop_end(choices.byte());
            break;
        case MuxScript::Step::BadEnd:
            add_frame(script, choices);
            script.drop_end(1);
            script.append(choices.bytes(1));
            break;
    }
}

}  // namespace banger::fuzz
