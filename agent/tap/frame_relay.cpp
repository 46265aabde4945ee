// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/frame_relay.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "common/error.hpp"

namespace banger::tap {
namespace {

constexpr std::size_t frame_header = 4;

bool is_later() noexcept { return errno == EAGAIN || errno == EINTR; }

}  // namespace

FrameRelay::FrameRelay(UniqueFd tap, UniqueFd stream) : tap_{std::move(tap)}, stream_{std::move(stream)}
{
    out_.bytes = std::make_unique<std::byte[]>(capacity);
    in_.bytes = std::make_unique<std::byte[]>(capacity);
}

short FrameRelay::tap_events() const noexcept { return out_.held() == 0 ? POLLIN : 0; }

short FrameRelay::stream_events() const noexcept
{
    return static_cast<short>(POLLIN | (out_.held() > 0 ? POLLOUT : 0));
}

/// One frame into the buffer; false when there is none.
bool FrameRelay::read_tap()
{
    const auto got = ::read(tap_.get(), out_.bytes.get() + out_.end + frame_header, frame_limit);
    if (got <= 0) {
        return false;
    }
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(got));
    std::memcpy(out_.bytes.get() + out_.end, &length, frame_header);
    out_.end += frame_header + static_cast<std::size_t>(got);
    return true;
}

bool FrameRelay::to_stream()
{
    if (out_.held() == 0) {
        out_.begin = out_.end = 0;
        while (out_.end + frame_header + frame_limit <= capacity && read_tap()) {
        }
    }
    while (out_.held() > 0) {
        const auto sent =
            ::send(stream_.get(), out_.bytes.get() + out_.begin, out_.held(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            return is_later();
        }
        out_.begin += static_cast<std::size_t>(sent);
    }
    return true;
}

/// One whole frame out of the buffer; false when there is none. A TAP that takes none drops it, as a wire does.
bool FrameRelay::write_tap()
{
    if (in_.held() < frame_header) {
        return false;
    }
    std::uint32_t prefix = 0;
    std::memcpy(&prefix, in_.bytes.get() + in_.begin, frame_header);
    const std::size_t length = ntohl(prefix);
    if (length == 0 || length > frame_limit) {
        throw Error{ErrorCode::CorruptData,
                    "a frame of " + std::to_string(length) + " bytes; the stream is out of step"};
    }
    if (in_.held() < frame_header + length) {
        return false;
    }
    (void)!::write(tap_.get(), in_.bytes.get() + in_.begin + frame_header, length);
    in_.begin += frame_header + length;
    return true;
}

bool FrameRelay::to_tap()
{
    if (in_.begin > 0) {
        std::memmove(in_.bytes.get(), in_.bytes.get() + in_.begin, in_.held());
        in_.end -= in_.begin;
        in_.begin = 0;
    }
    const auto got = ::recv(stream_.get(), in_.bytes.get() + in_.end, capacity - in_.end, MSG_DONTWAIT);
    if (got <= 0) {
        return got < 0 && is_later();
    }
    in_.end += static_cast<std::size_t>(got);
    while (write_tap()) {
    }
    return true;
}

}  // namespace banger::tap
