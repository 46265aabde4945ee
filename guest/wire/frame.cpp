// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/frame.hpp"

#include "common/error.hpp"

#include <cerrno>

#include <sys/random.h>

namespace banger::wire {

Epoch Epoch::random()
{
    Epoch epoch;
    // Up to 256 bytes come whole once the generator is seeded: getrandom(2).
    if (::getrandom(epoch.bytes.data(), epoch.bytes.size(), 0) != static_cast<ssize_t>(epoch.bytes.size())) {
        throw errno_error("No random bytes from the kernel", errno, ErrorCode::HostLacks);
    }
    return epoch;
}

std::uint32_t Epoch::tag() const noexcept
{
    std::uint32_t tag = 0;
    for (std::size_t i = 0; i < sizeof tag; ++i) {
        const std::uint8_t byte = bytes[i] != 0 ? bytes[i] : std::uint8_t{0xa5};
        tag |= static_cast<std::uint32_t>(byte) << (8U * i);
    }
    return tag;
}

void put_u16(Bytes& out, std::uint16_t value)
{
    out.push_back(static_cast<std::uint8_t>(value));
    out.push_back(static_cast<std::uint8_t>(value >> 8U));
}

void put_u32(Bytes& out, std::uint32_t value)
{
    const std::array<std::uint8_t, 4> bytes{static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8U),
                                            static_cast<std::uint8_t>(value >> 16U),
                                            static_cast<std::uint8_t>(value >> 24U)};
    out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint16_t get_u16(ByteView in) noexcept { return static_cast<std::uint16_t>(in[0] | in[1] << 8U); }

std::uint32_t get_u32(ByteView in) noexcept
{
    return static_cast<std::uint32_t>(in[0]) | static_cast<std::uint32_t>(in[1]) << 8U |
           static_cast<std::uint32_t>(in[2]) << 16U | static_cast<std::uint32_t>(in[3]) << 24U;
}

FrameHeader read_header(ByteView in) noexcept
{
    return {get_u32(in), get_u32(in.subspan(4)),  static_cast<FrameType>(in[8]),
            in[9],       get_u16(in.subspan(10)), get_u32(in.subspan(12))};
}

void append_frame(Bytes& out, std::uint32_t tag, StreamId stream, FrameType type, std::uint8_t flags, ByteView payload)
{
    put_u32(out, tag);
    put_u32(out, stream);
    out.push_back(static_cast<std::uint8_t>(type));
    out.push_back(flags);
    put_u16(out, 0);
    put_u32(out, static_cast<std::uint32_t>(payload.size()));
    out.insert(out.end(), payload.begin(), payload.end());
    put_u32(out, tag);
}

}  // namespace banger::wire
