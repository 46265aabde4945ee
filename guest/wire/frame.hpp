// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace banger::wire {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using StreamId = std::uint32_t;

/// Versions of this wire format that this build speaks.
inline constexpr std::uint16_t version_min = 1;
inline constexpr std::uint16_t version_max = 1;

inline constexpr std::size_t header_size = 16;
inline constexpr std::size_t trailer_size = 4;
inline constexpr std::size_t max_payload = std::size_t{32} << 10U;
inline constexpr std::size_t max_frame = header_size + max_payload + trailer_size;
/// Largest structured payload, over all of its frames.
inline constexpr std::size_t max_message = std::size_t{256} << 10U;
/// Bytes that a side may send on a stream before the other returns credit.
inline constexpr std::uint32_t stream_window = std::uint32_t{256} << 10U;
inline constexpr std::size_t max_streams = 1024;
inline constexpr StreamId control_stream = 0;

enum class FrameType : std::uint8_t {
    Control = 1,  ///< stream 0, CBOR: request, response or event
    Open = 2,     ///< host only, CBOR
    Opened = 3,   ///< guest only, CBOR
    Refused = 4,  ///< guest only, CBOR; ends the guest's side of the stream as Close does
    Data = 5,
    Eof = 6,      ///< no more Data in this direction
    Credit = 7,   ///< u32: so many more bytes of Data may come
    Message = 8,  ///< CBOR, in order with Data
    Reset = 9,    ///< as Close, but because something broke
    Close = 10,   ///< the sender is done with the stream; the number is free once both sides have sent it
};

/// Flag of a structured payload that goes on in the next frame.
inline constexpr std::uint8_t flag_more = 1;

/// One connection's random name. Bytes of the host's kernel random generator.
struct Epoch {
    std::array<std::uint8_t, 16> bytes{};

    static Epoch random();
    /// Stands at both ends of each frame. It has no zero byte, so the zeros of the next connection never end a frame.
    std::uint32_t tag() const noexcept;
    bool operator==(const Epoch&) const = default;
};

struct FrameHeader {
    std::uint32_t tag{};
    StreamId stream{};
    FrameType type{};
    std::uint8_t flags{};
    std::uint16_t reserved{};
    std::uint32_t length{};
};

void put_u16(Bytes& out, std::uint16_t value);
void put_u32(Bytes& out, std::uint32_t value);
/// The first bytes of `in`, little endian; there must be enough of them.
std::uint16_t get_u16(ByteView in) noexcept;
std::uint32_t get_u32(ByteView in) noexcept;

/// `in` holds at least header_size bytes.
FrameHeader read_header(ByteView in) noexcept;
/// Appends a whole frame; `payload` is at most max_payload.
void append_frame(Bytes& out, std::uint32_t tag, StreamId stream, FrameType type, std::uint8_t flags, ByteView payload);

}  // namespace banger::wire
