// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "guest/core/loop.hpp"
#include "guest/wire/frame.hpp"

namespace banger::guest {

/// The byte channel to the host: never blocks, comes and goes with the host.
class Channel {
public:
    struct Events {
        std::function<void()> ready;         ///< read() or write() may do more than before
        std::function<void()> disconnected;  ///< the host left
    };

    virtual ~Channel() = default;
    virtual void start(Events events) = 0;
    /// How many bytes came; 0: none for now.
    virtual std::size_t read(std::span<std::uint8_t> buffer) = 0;
    /// How many bytes went; 0: none for now.
    virtual std::size_t write(wire::ByteView data) = 0;
};

/// The virtio-serial port dev.banger.guest. Throws NotFound when there is none.
std::unique_ptr<Channel> open_virtio_port(Loop& loop);

/// A listening socket (AF_VSOCK; AF_UNIX in tests) with one connection at a time: a newer one takes the place of an older.
std::unique_ptr<Channel> make_socket_channel(Loop& loop, UniqueFd listener);

/// Throws Unavailable where the guest has no vsock.
UniqueFd listen_vsock(std::uint32_t port);

/// As on the kernel command line: "virtio-serial", "vsock:PORT". Throws InvalidArgument, and as the ones above.
std::unique_ptr<Channel> open_channel(Loop& loop, std::string_view spec);

}  // namespace banger::guest
