// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/kernel_watch.hpp"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "common/error.hpp"

namespace banger::broker {
namespace {

[[noreturn]] void fail_to_watch(const char* what, int result)
{
    throw Error{ErrorCode::Failed, std::string{"can't watch "} + what + ": " + ::nl_geterror(result)};
}

/// A transaction's last message says which thread made it (nf_tables_fill_gen_info: task_pid_nr, since 4.15).
bool is_ours(nlmsghdr* message)
{
    constexpr int type_mask = 0xff;
    if ((message->nlmsg_type & type_mask) != NFT_MSG_NEWGEN) {
        return true;  // the one that ends its transaction decides
    }
    const auto* const process = ::nlmsg_find_attr(message, sizeof(nfgenmsg), NFTA_GEN_PROC_PID);
    constexpr int length = sizeof(std::uint32_t);
    return process != nullptr && ::nla_len(process) == length &&
           ::tgkill(::getpid(), static_cast<pid_t>(ntohl(::nla_get_u32(process))), 0) == 0;
}

/// Not every route: those of a prefix of length 0 alone, and links that come and go.
bool is_worth_a_look(nlmsghdr* message)
{
    if (message->nlmsg_type == RTM_NEWROUTE || message->nlmsg_type == RTM_DELROUTE) {
        const auto* const route = static_cast<const rtmsg*>(::nlmsg_data(message));
        return message->nlmsg_len >= NLMSG_LENGTH(sizeof(rtmsg)) && route->rtm_dst_len == 0;
    }
    return message->nlmsg_type == RTM_DELLINK;
}

}  // namespace

KernelWatch::KernelWatch(EventLoop& loop, std::function<void()> changed) : changed_{std::move(changed)}
{
    const auto open = [](Socket& socket, int protocol, auto... groups) {
        socket.reset(::nl_socket_alloc());
        if (!socket) {
            fail_to_watch("the kernel", -NLE_NOMEM);
        }
        ::nl_socket_disable_seq_check(socket.get());
        int result = ::nl_connect(socket.get(), protocol);
        if (result >= 0) {
            result = ::nl_socket_add_memberships(socket.get(), groups..., 0);
        }
        if (result < 0 || (result = ::nl_socket_set_nonblocking(socket.get())) < 0) {
            fail_to_watch("the kernel", result);
        }
    };
    open(rules_, NETLINK_NETFILTER, NFNLGRP_NFTABLES);
    open(routes_, NETLINK_ROUTE, RTNLGRP_IPV4_ROUTE, RTNLGRP_LINK);
    rules_source_ = loop.on_io(::nl_socket_get_fd(rules_.get()), EventLoop::readable,
                               [this](std::uint32_t) { read(rules_.get()); });
    routes_source_ = loop.on_io(::nl_socket_get_fd(routes_.get()), EventLoop::readable,
                                [this](std::uint32_t) { read(routes_.get()); });
}

void KernelWatch::read(nl_sock* socket)
{
    bool worth = false;
    const bool of_rules = socket == rules_.get();
    for (;;) {
        unsigned char* buffer = nullptr;
        sockaddr_nl from{};
        const int length = ::nl_recv(socket, &from, &buffer, nullptr);
        if (length <= 0) {
            worth |= length < 0 && length != -NLE_AGAIN;  // such as ENOBUFS: something was lost
            break;
        }
        const c_ptr<unsigned char, std::free> owned{buffer};
        int rest = length;
        for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); from.nl_pid == 0 && ::nlmsg_ok(message, rest);
             message = ::nlmsg_next(message, &rest)) {
            worth |= of_rules ? !is_ours(message) : is_worth_a_look(message);
        }
    }
    if (worth) {
        changed_();
    }
}

}  // namespace banger::broker
