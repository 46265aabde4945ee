// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/rtnetlink.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>

#include "common/error.hpp"

namespace banger::guest {
namespace {

/// One request: header, body, attributes.
class Message {
public:
    template <typename Body>
    Message(std::uint16_t type, std::uint16_t flags, const Body& body)
    {
        nlmsghdr header{};
        header.nlmsg_type = type;
        header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
        append(&header, sizeof header);
        append(&body, sizeof body);
    }

    void attribute(std::uint16_t type, const void* data, std::size_t size)
    {
        const rtattr header{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
        append(&header, sizeof header);
        append(data, size);
    }

    std::vector<std::uint8_t> take()
    {
        const auto size = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &size, sizeof size);
        return std::move(bytes_);
    }

private:
    void append(const void* data, std::size_t size)
    {
        const auto* from = static_cast<const std::uint8_t*>(data);
        bytes_.insert(bytes_.end(), from, from + size);
        bytes_.resize((bytes_.size() + 3) / 4 * 4);
    }
    std::vector<std::uint8_t> bytes_;
};

void exchange(int socket, const std::vector<std::uint8_t>& request, const std::string& what,
              const std::function<void(const nlmsghdr&)>& each)
{
    if (::send(socket, request.data(), request.size(), 0) < 0) {
        throw errno_error(what, errno);
    }
    alignas(nlmsghdr) std::array<std::uint8_t, 32768> buffer;  // NOLINT: filled by recv
    for (;;) {
        const auto size = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (size < 0) {
            throw errno_error(what, errno);
        }
        auto left = static_cast<unsigned>(size);
        for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
             header = NLMSG_NEXT(header, left)) {
            if (header->nlmsg_type == NLMSG_DONE) {
                return;
            }
            if (header->nlmsg_type == NLMSG_ERROR) {
                const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
                if (error->error != 0) {
                    throw errno_error(what, -error->error);
                }
                return;
            }
            each(*header);
        }
    }
}

ifaddrmsg address_message(unsigned interface, const Prefix& address)
{
    ifaddrmsg body{};
    body.ifa_family = static_cast<std::uint8_t>(address.family);
    body.ifa_prefixlen = address.length;
    body.ifa_index = interface;
    return body;
}

std::vector<std::uint8_t> address_request(std::uint16_t type, std::uint16_t flags, unsigned interface,
                                          const Prefix& address)
{
    Message message{type, flags, address_message(interface, address)};
    message.attribute(IFA_LOCAL, address.bytes.data(), address.bytes.size());
    message.attribute(IFA_ADDRESS, address.bytes.data(), address.bytes.size());
    return message.take();
}

}  // namespace

Prefix Prefix::parse(const std::string& text)
{
    const auto slash = text.find('/');
    const auto address = text.substr(0, slash);
    std::array<std::uint8_t, 16> bytes{};
    Prefix prefix;
    prefix.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
    const std::size_t size = prefix.family == AF_INET ? 4 : 16;
    if (::inet_pton(prefix.family, address.c_str(), bytes.data()) != 1) {
        throw Error{ErrorCode::InvalidArgument, "\"" + text + "\" is not an IP address"};
    }
    prefix.bytes.assign(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    prefix.length = static_cast<std::uint8_t>(size * 8);
    if (slash != std::string::npos) {
        const auto* begin = text.data() + slash + 1;
        const auto* end = text.data() + text.size();
        std::uint8_t length = 0;
        const auto [rest, error] = std::from_chars(begin, end, length);
        if (error != std::errc{} || rest != end || length > size * 8) {
            throw Error{ErrorCode::InvalidArgument, "\"" + text + "\" has no valid prefix length"};
        }
        prefix.length = length;
    }
    return prefix;
}

RouteSocket::RouteSocket() : socket_{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)}
{
    if (!socket_) {
        throw errno_error("rtnetlink", errno);
    }
}

void RouteSocket::call(std::vector<std::uint8_t> request, const std::string& what)
{
    exchange(socket_.get(), request, what, [](const nlmsghdr&) {});
}

void RouteSocket::set_up(unsigned interface)
{
    ifinfomsg body{};
    body.ifi_index = static_cast<int>(interface);
    body.ifi_flags = IFF_UP;
    body.ifi_change = IFF_UP;
    call(Message{RTM_NEWLINK, NLM_F_ACK, body}.take(), "The interface can't be brought up");
}

std::vector<Prefix> RouteSocket::addresses(unsigned interface)
{
    std::vector<Prefix> result;
    const auto take = [&](const nlmsghdr& header) {
        const auto* body = static_cast<const ifaddrmsg*>(NLMSG_DATA(&header));
        if (header.nlmsg_type != RTM_NEWADDR || body->ifa_index != interface || body->ifa_scope == RT_SCOPE_LINK) {
            return;
        }
        auto left = static_cast<int>(IFA_PAYLOAD(&header));
        for (const auto* entry = IFA_RTA(body); RTA_OK(entry, left); entry = RTA_NEXT(entry, left)) {
            if (entry->rta_type == IFA_ADDRESS) {
                const auto* bytes = static_cast<const std::uint8_t*>(RTA_DATA(entry));
                result.push_back({body->ifa_family, {bytes, bytes + RTA_PAYLOAD(entry)}, body->ifa_prefixlen});
            }
        }
    };
    exchange(socket_.get(), Message{RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}}.take(), "The addresses can't be read", take);
    return result;
}

void RouteSocket::add_address(unsigned interface, const Prefix& address)
{
    call(address_request(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, interface, address),
         "The address can't be set");
}

void RouteSocket::remove_address(unsigned interface, const Prefix& address)
{
    call(address_request(RTM_DELADDR, NLM_F_ACK, interface, address), "An older address can't be removed");
}

void RouteSocket::set_default_route(unsigned interface, const Prefix& gateway)
{
    rtmsg body{};
    body.rtm_family = static_cast<std::uint8_t>(gateway.family);
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = RTPROT_STATIC;
    body.rtm_scope = RT_SCOPE_UNIVERSE;
    body.rtm_type = RTN_UNICAST;
    body.rtm_flags = RTNH_F_ONLINK;  // a gateway may lie outside of a /32
    Message message{RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, body};
    message.attribute(RTA_GATEWAY, gateway.bytes.data(), gateway.bytes.size());
    message.attribute(RTA_OIF, &interface, sizeof interface);
    call(message.take(), "The default route can't be set");
}

}  // namespace banger::guest
