// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netlink/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/c_ptr.hpp"

namespace banger::broker {

/// What of rtnetlink(7) the broker needs, one question a call. All throw Failed.
class Rtnetlink {
public:
    struct Link {
        unsigned index;
        std::string name;
        std::vector<std::string> altnames;
    };

    Rtnetlink();

    std::vector<Link> links();
    /// By its name or one of its altnames. if_nametoindex() would have the kernel start modprobe(8) for a name that no link has.
    std::optional<Link> link_named(const std::string& name);
    /// By one of its altnames.
    std::optional<Link> link_called(const std::string& altname);
    /// Throws AlreadyExists: a link has that name.
    void add_altname(unsigned index, const std::string& altname);
    /// One that it has already is no error. `address`: host byte order.
    void add_address(unsigned index, std::uint32_t address, unsigned prefix);
    enum class LinkState { Up, Down };
    void set_state(unsigned index, LinkState state);
    /// False: there is none.
    bool remove(unsigned index);
    /// Indexes of the interfaces to which IPv4's default routes lead, in any table; a half of everything (0.0.0.0/1, which OpenVPN uses to
    /// overrule a default route) is one, too. Sorted.
    std::vector<unsigned> default_route_links();

private:
    int ask(nl_msg* message, std::vector<Link>& answers);

    c_ptr<nl_sock, nl_socket_free> socket_;
};

}  // namespace banger::broker
