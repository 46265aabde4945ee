// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>

#include "common/unique_fd.hpp"

namespace banger::tap {

/// Carries frames between a TAP and a stream socket, where each has its length before it, four bytes, big-endian: QEMU's -netdev stream.
/// What the socket doesn't take stays in the TAP, whose queue then overflows as a network card's does.
class FrameRelay {
public:
    static constexpr std::size_t frame_limit = 65'535;

    /// `tap` is non-blocking.
    FrameRelay(UniqueFd tap, UniqueFd stream);

    int tap_fd() const noexcept { return tap_.get(); }
    int stream_fd() const noexcept { return stream_.get(); }
    /// What to poll(2) for at each: no more is read than can be written.
    short tap_events() const noexcept;
    short stream_events() const noexcept;
    /// False: the stream ended.
    bool to_stream();
    /// False: the stream ended. Throws CorruptData: a length that no frame has.
    bool to_tap();

private:
    struct Buffer {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t begin{0};
        std::size_t end{0};
        std::size_t held() const noexcept { return end - begin; }
    };
    static constexpr std::size_t capacity = 4 * (frame_limit + 4);

    bool read_tap();
    bool write_tap();

    UniqueFd tap_;
    UniqueFd stream_;
    Buffer out_;  ///< to the stream
    Buffer in_;   ///< from it
};

}  // namespace banger::tap
