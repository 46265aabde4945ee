// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "agent/netguard/address_set.hpp"

namespace banger::netguard {

/// What a guest must not speak to. A host's own address is denied even where `allowed` names it.
struct Rules {
    AddressSet host;     ///< the host's own addresses; empty where the guest may reach them
    AddressSet allowed;  ///< exceptions from never(): what passt answers in the host's place
};

/// Whether a frame of the guest's goes on to passt.
///
/// Only ARP, IPv4 and IPv6 do, untagged, as passt (2023-03 to 2025-05) takes nothing else. Pure and without state: a packet that is a part
/// of a larger one carries the same addresses.
bool may_pass(std::span<const std::byte> frame, const Rules& rules) noexcept;

/// The guest's half of QEMU's `-netdev stream`: each frame behind its length, 4 bytes, most significant first. Holds what came until it was
/// sent, in one buffer of fixed size. No I/O.
///
/// Use: read into room(), tell arrived(); then while run() has bytes, write them and tell sent(). Read again only when run() is empty.
class FrameStream {
public:
    /// One write to a stream socket up to this size is one piece to its reader, or is refused (Linux: unix_stream_sendmsg makes skbs of 32 KiB
    /// and what fits in the head's page: 36,544 bytes, measured on 6.18). passt of 2023-03 loses its place in the stream when a read ends within
    /// a frame's length, or a frame comes in more than two pieces. A frame above this size goes alone, so in two.
    static constexpr std::size_t run_limit = std::size_t{32} * 1024;
    /// QEMU sends no longer frame (include/net/net.h, NET_BUFSIZE).
    static constexpr std::size_t frame_limit = 4096 + 65536;

    FrameStream();
    /// Never empty when run() is.
    std::span<std::byte> room() noexcept;
    void arrived(std::size_t bytes) noexcept { end_ += bytes; }
    /// Whole frames that may pass, with their lengths; at most run_limit bytes, or one frame. Empty: there is no whole frame left.
    /// Throws CorruptData when a frame claims to be longer than frame_limit: its sender lost its place, or lies.
    std::span<const std::byte> run(const Rules& rules);
    void sent(std::size_t bytes) noexcept { begin_ += bytes; }
    std::uint64_t dropped() const noexcept { return dropped_; }

private:
    static constexpr std::size_t capacity = std::size_t{256} * 1024;
    std::size_t whole_frame(std::size_t at) const;

    std::unique_ptr<std::byte[]> buffer_;
    std::size_t begin_{0};    ///< what was sent or dropped ends here
    std::size_t run_end_{0};  ///< from begin_ to here is the run
    std::size_t end_{0};
    std::uint64_t dropped_{0};
};

}  // namespace banger::netguard
