// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/socket.h>

#include <functional>
#include <string>
#include <vector>

#include "guest/core/fd_pump.hpp"
#include "guest/core/session.hpp"

namespace banger::guest {

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size{0};
    bool own{false};  ///< of the guest's loopback
};

/// A TCP connection to a server in the guest, or to one that the guest reaches. While the guest's services are still starting, one
/// that is refused by the guest itself is tried again: `vm ssh` right after "ready" finds an sshd that is not up yet.
class ConnectSession : public Session {
public:
    ConnectSession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::Connect& connect,
                   std::function<bool()> starting);

    void on_data(wire::StreamId stream, wire::ByteView data) override;
    void on_eof(wire::StreamId stream) override;
    void on_writable(wire::StreamId stream) override;
    void on_message(const wire::StreamMessage& message) override;
    void on_gone(wire::StreamId stream, Gone how) override;
    bool finished() const override { return finished_; }

private:
    void try_now();
    void failed(int error);
    void connected();
    void finish_if_done();

    Loop& loop_;
    Link link_;
    std::string where_;
    std::function<bool()> starting_;
    std::vector<SocketAddress> addresses_;  ///< tried in turn
    std::size_t at_{0};
    int first_error_{0};
    bool last_try_{true};
    UniqueFd socket_;
    Loop::Watch connecting_;
    Loop::Timer retry_;
    FdSink sink_;
    FdSource source_;
    UniqueFd read_end_;  ///< a duplicate, so that both directions can be in the epoll set
    bool sent_all_{false};
    bool finished_{false};
};

}  // namespace banger::guest
