// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "agent/ports/vmm.hpp"

namespace banger::agent {

/// QEMU's control connection: JSON lines, qemu-qmp-ref(7). Says the capabilities handshake, remembers SHUTDOWN, sends quit.
class QmpClient final : public VmmControl {
public:
    QmpClient(EventLoop& loop, UniqueFd socket);

    bool quit() override;
    bool is_stuck() const override { return stuck_; }
    void go_on() override;
    std::optional<GuestEnd> guest_end() override;

private:
    /// False at the end of the connection.
    bool read_once();
    void on_line(std::string_view line);
    void send(std::string_view command);

    UniqueFd socket_;
    EventLoop::Source source_;
    std::string received_;
    std::optional<GuestEnd> guest_end_;
    bool stuck_{false};
};

}  // namespace banger::agent
