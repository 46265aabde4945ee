// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/setup.hpp"

#include <functional>

#include "common/error.hpp"
#include "guest/boot/rooted.hpp"
#include "guest/core/requests.hpp"
#include "guest/setup/authorized_keys.hpp"
#include "guest/setup/entropy.hpp"
#include "guest/setup/hosts_file.hpp"
#include "guest/setup/network.hpp"

namespace banger::guest {

std::vector<std::string> apply(const wire::Configure& configure)
{
    std::vector<std::string> warnings;
    const auto attempt = [&](const std::function<void()>& step) {
        try {
            step();
        } catch (const Error& error) {
            warnings.emplace_back(error.what());
        }
    };
    attempt([&] { add_entropy(configure.entropy); });
    attempt([&] {
        if (configure.unix_ns) {
            set_clock(*configure.unix_ns);
        }
    });
    attempt([&] { set_network(configure.network); });
    attempt([&] {
        if (configure.network && !configure.network->dns.empty()) {
            // Often a link to a file of systemd-resolved, which would write ours over; as a plain file it takes its servers from it.
            Rooted{"/"}.write("/etc/resolv.conf", resolver_config(*configure.network), 0644, Rooted::LastLink::Replace);
        }
    });
    attempt([&] { set_hosts(Rooted{"/"}, configure.hosts); });
    attempt([&] { set_authorized_keys(Rooted{"/"}, configure.authorized_keys); });
    return warnings;
}

}  // namespace banger::guest
