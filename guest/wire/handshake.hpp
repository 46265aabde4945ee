// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/frame.hpp"

#include <cstdint>
#include <optional>

namespace banger::wire {

/// What the host sends after max_frame zero bytes.
struct Sync {
    std::uint16_t version_min{};
    std::uint16_t version_max{};
    Epoch epoch;
};

/// The guest's answer.
struct SyncAck {
    Epoch epoch;
    std::uint16_t version{};  ///< 0: none of the offered ones
    Bytes hello;              ///< CBOR of a Hello, at most max_hello bytes
};

inline constexpr std::size_t max_hello = 4096;

Bytes encode(const Sync& sync);
Bytes encode(const SyncAck& ack);

/// Finds one handshake message in bytes of which any number before it may be rubbish. Memory is bounded by the longest
/// message plus one fed chunk.
class Hunter {
public:
    /// Looks for any Sync.
    Hunter();
    /// Looks for the SyncAck of this epoch alone.
    explicit Hunter(const Epoch& epoch);

    /// True once the message is whole; then feed no more.
    bool feed(ByteView in);
    /// Valid after feed() was true, by the constructor used.
    const Sync& sync() const noexcept { return sync_; }
    const SyncAck& ack() const noexcept { return ack_; }
    /// The bytes after the message; ends this hunt.
    Bytes take_rest() noexcept;

private:
    enum class Match { Whole, Partial, No };
    Match match(ByteView candidate);
    Match match_sync(ByteView candidate);
    Match match_ack(ByteView candidate);

    bool for_ack_{false};
    std::size_t skip_{1};  ///< to go on behind a candidate that is none
    Bytes needle_;
    Bytes buffer_;
    Sync sync_;
    SyncAck ack_;
};

}  // namespace banger::wire
