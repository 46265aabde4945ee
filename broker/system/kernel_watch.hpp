// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "common/c_ptr.hpp"
#include "common/event_loop.hpp"

struct nl_sock;
extern "C" void nl_socket_free(struct nl_sock*);

namespace banger::broker {

/// Tells when somebody else changes nftables' rules, or anybody the default routes or the links (R29): netlink's own notifications, nothing is
/// polled. Messages that were lost count as a change. Loop thread.
class KernelWatch {
public:
    /// Throws Failed.
    KernelWatch(EventLoop& loop, std::function<void()> changed);
    KernelWatch(const KernelWatch&) = delete;
    KernelWatch& operator=(const KernelWatch&) = delete;

private:
    using Socket = c_ptr<nl_sock, nl_socket_free>;
    void read(nl_sock* socket);

    std::function<void()> changed_;
    Socket rules_;
    Socket routes_;
    EventLoop::Source rules_source_;
    EventLoop::Source routes_source_;
};

}  // namespace banger::broker
