// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/tcp_port.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

/// A TcpPort on the event loop.
class TcpListener final : public TcpPort {
public:
    /// As OpenTcpPort.
    TcpListener(EventLoop& loop, const std::string& address, std::uint16_t number,
                std::function<void(UniqueFd)> accepted);
    std::uint16_t number() const noexcept override { return number_; }

private:
    void listen();
    void accept();

    EventLoop* loop_;
    UniqueFd socket_;
    std::uint16_t number_{0};
    std::function<void(UniqueFd)> accepted_;
    EventLoop::Source rest_;
    EventLoop::Source source_;  // last: gone before the socket
};

}  // namespace banger::agent
