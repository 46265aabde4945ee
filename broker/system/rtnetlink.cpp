// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include <algorithm>
#include <cstdlib>

#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr unsigned widest_default = 1;  // bits of the prefix

using Message = c_ptr<nl_msg, nlmsg_free>;

[[noreturn]] void refuse(const std::string& sentence, int code, ErrorCode as = ErrorCode::Failed)
{
    throw Error{as, sentence + ": " + nl_geterror(code)};
}

void check(int code, const std::string& sentence)
{
    if (code < 0) {
        refuse(sentence, code);
    }
}

bool is_gone(int code) noexcept { return code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND; }

Message make_message(int type, int flags, unsigned index = 0)
{
    Message message{nlmsg_alloc_simple(type, flags)};
    ifinfomsg header{};
    header.ifi_index = static_cast<int>(index);
    if (!message || nlmsg_append(message.get(), &header, sizeof header, NLMSG_ALIGNTO) < 0) {
        throw Error{ErrorCode::Failed, "there is no memory for a message to the kernel"};
    }
    return message;
}

void take_altnames(const nlattr* list, std::vector<std::string>& names)
{
    const nlattr* attribute = nullptr;
    int left = 0;
    nla_for_each_nested(attribute, list, left)
    {
        if (nla_type(attribute) == IFLA_ALT_IFNAME) {
            names.emplace_back(static_cast<const char*>(nla_data(attribute)));
        }
    }
}

int take_link(nl_msg* message, void* argument) noexcept
{
    auto* header = nlmsg_hdr(message);
    if (header->nlmsg_type != RTM_NEWLINK) {
        return NL_OK;
    }
    Rtnetlink::Link link{static_cast<unsigned>(static_cast<const ifinfomsg*>(nlmsg_data(header))->ifi_index), {}, {}};
    const nlattr* attribute = nullptr;
    int left = 0;
    nlmsg_for_each_attr(attribute, header, sizeof(ifinfomsg), left)
    {
        if (nla_type(attribute) == IFLA_IFNAME) {
            link.name = static_cast<const char*>(nla_data(attribute));
        } else if (nla_type(attribute) == IFLA_PROP_LIST) {
            take_altnames(attribute, link.altnames);
        }
    }
    static_cast<std::vector<Rtnetlink::Link>*>(argument)->push_back(std::move(link));
    return NL_OK;
}

bool is_default(rtnl_route* route)
{
    auto* destination = rtnl_route_get_dst(route);
    return rtnl_route_get_type(route) == RTN_UNICAST && rtnl_route_get_table(route) != RT_TABLE_LOCAL &&
           (destination == nullptr || nl_addr_get_prefixlen(destination) <= widest_default);
}

}  // namespace

Rtnetlink::Rtnetlink() : socket_{nl_socket_alloc()}
{
    if (!socket_) {
        throw Error{ErrorCode::Failed, "there is no memory for a socket to the kernel"};
    }
    check(nl_connect(socket_.get(), NETLINK_ROUTE), "the kernel's routing does not answer");
}

/// The library's code: 0, or negative.
int Rtnetlink::ask(nl_msg* message, std::vector<Link>& answers)
{
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, take_link, &answers);
    const bool is_dump = (nlmsg_hdr(message)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    int code = nl_send_auto(socket_.get(), message);
    if (code >= 0) {
        code = nl_recvmsgs_default(socket_.get());
    }
    if (code >= 0 && !is_dump) {
        code = nl_wait_for_ack(socket_.get());
    }
    nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_DEFAULT, nullptr, nullptr);
    return std::min(code, 0);
}

std::vector<Rtnetlink::Link> Rtnetlink::links()
{
    std::vector<Link> found;
    const auto message = make_message(RTM_GETLINK, NLM_F_DUMP);
    check(ask(message.get(), found), "the kernel does not list its network interfaces");
    return found;
}

std::optional<Rtnetlink::Link> Rtnetlink::link_named(const std::string& name)
{
    std::vector<Link> found;
    const auto message = make_message(RTM_GETLINK, 0);
    check(nla_put_string(message.get(), IFLA_ALT_IFNAME, name.c_str()), "an interface's name is too long");
    const int code = ask(message.get(), found);
    if (is_gone(code)) {
        return std::nullopt;
    }
    check(code, "the kernel says nothing of a network interface");
    return found.empty() ? std::nullopt : std::optional{found.front()};
}

std::optional<Rtnetlink::Link> Rtnetlink::link_called(const std::string& altname)
{
    const auto link = link_named(altname);
    const bool is_altname =
        link && std::find(link->altnames.begin(), link->altnames.end(), altname) != link->altnames.end();
    return is_altname ? link : std::nullopt;
}

void Rtnetlink::add_altname(unsigned index, const std::string& altname)
{
    auto message = make_message(RTM_NEWLINKPROP, NLM_F_EXCL | NLM_F_CREATE | NLM_F_APPEND, index);
    auto* list = nla_nest_start(message.get(), IFLA_PROP_LIST | NLA_F_NESTED);
    if (list == nullptr || nla_put_string(message.get(), IFLA_ALT_IFNAME, altname.c_str()) < 0) {
        throw Error{ErrorCode::Failed, "an interface's name is too long"};
    }
    nla_nest_end(message.get(), list);
    const int code = nl_send_sync(socket_.get(), message.release());  // which frees it
    if (code == -NLE_EXIST) {
        refuse("a network interface has the name " + altname, code, ErrorCode::AlreadyExists);
    }
    check(code, "can't name a network interface");
}

void Rtnetlink::add_address(unsigned index, std::uint32_t address, unsigned prefix)
{
    const auto bytes = htonl(address);
    const c_ptr<nl_addr, nl_addr_put> local{nl_addr_build(AF_INET, &bytes, sizeof bytes)};
    const c_ptr<rtnl_addr, rtnl_addr_put> wanted{rtnl_addr_alloc()};
    if (!local || !wanted) {
        throw Error{ErrorCode::Failed, "there is no memory for an address"};
    }
    nl_addr_set_prefixlen(local.get(), static_cast<int>(prefix));
    rtnl_addr_set_ifindex(wanted.get(), static_cast<int>(index));
    check(rtnl_addr_set_local(wanted.get(), local.get()), "an address can't be given");
    check(rtnl_addr_add(socket_.get(), wanted.get(), NLM_F_REPLACE), "can't give a network interface its address");
}

void Rtnetlink::set_state(unsigned index, LinkState state)
{
    const c_ptr<rtnl_link, rtnl_link_put> which{rtnl_link_alloc()};
    const c_ptr<rtnl_link, rtnl_link_put> change{rtnl_link_alloc()};
    if (!which || !change) {
        throw Error{ErrorCode::Failed, "there is no memory for a network interface"};
    }
    rtnl_link_set_ifindex(which.get(), static_cast<int>(index));
    if (state == LinkState::Up) {
        rtnl_link_set_flags(change.get(), IFF_UP);
    } else {
        rtnl_link_unset_flags(change.get(), IFF_UP);
    }
    check(rtnl_link_change(socket_.get(), which.get(), change.get(), 0), "a network interface does not go up or down");
}

bool Rtnetlink::remove(unsigned index)
{
    auto message = make_message(RTM_DELLINK, 0, index);
    const int code = nl_send_sync(socket_.get(), message.release());
    if (is_gone(code)) {
        return false;
    }
    check(code, "can't remove a network interface");
    return true;
}

std::vector<unsigned> Rtnetlink::default_route_links()
{
    nl_cache* filled = nullptr;
    check(rtnl_route_alloc_cache(socket_.get(), AF_INET, 0, &filled), "the kernel does not list its routes");
    const c_ptr<nl_cache, nl_cache_free> routes{filled};
    std::vector<unsigned> found;
    for (auto* at = nl_cache_get_first(routes.get()); at != nullptr; at = nl_cache_get_next(at)) {
        auto* route = reinterpret_cast<rtnl_route*>(at);
        for (int hop = 0; is_default(route) && hop < rtnl_route_get_nnexthops(route); ++hop) {
            found.push_back(static_cast<unsigned>(rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, hop))));
        }
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
}

}  // namespace banger::broker
