// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"

namespace banger::guest {

/// An IP address with the length of its network's prefix.
struct Prefix {
    int family{0};                    ///< AF_INET, AF_INET6
    std::vector<std::uint8_t> bytes;  ///< 4 or 16
    std::uint8_t length{0};

    /// "10.0.0.2/30"; without a length it is the whole. Throws InvalidArgument.
    static Prefix parse(const std::string& text);
    bool operator==(const Prefix&) const = default;
};

/// The few calls of rtnetlink(7) that the guest's network takes. Members throw Failed.
class RouteSocket {
public:
    RouteSocket();
    void set_up(unsigned interface);
    std::vector<Prefix> addresses(unsigned interface);
    void add_address(unsigned interface, const Prefix& address);
    void remove_address(unsigned interface, const Prefix& address);
    /// In place of any other default route of its family.
    void set_default_route(unsigned interface, const Prefix& gateway);

private:
    void call(std::vector<std::uint8_t> request, const std::string& what);
    UniqueFd socket_;
};

}  // namespace banger::guest
