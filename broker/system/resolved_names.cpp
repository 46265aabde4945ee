// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/resolved_names.hpp"

#include <net/if.h>
#include <sys/socket.h>

#include <vector>

#include "dbus/compat/bus.hpp"

namespace banger::broker {
namespace {

constexpr auto manager_interface = "org.freedesktop.resolve1.Manager";
using Server = sdbus::Struct<std::int32_t, std::vector<std::uint8_t>, std::uint16_t, std::string>;
using Domain = sdbus::Struct<std::string, bool>;

std::vector<std::uint8_t> bytes_of(std::uint32_t address)
{
    return {static_cast<std::uint8_t>(address >> 24U), static_cast<std::uint8_t>(address >> 16U),
            static_cast<std::uint8_t>(address >> 8U), static_cast<std::uint8_t>(address)};
}

int link_of(const SandboxNetwork& network) { return static_cast<int>(::if_nametoindex(network.tap.c_str())); }

Error error_of(const sdbus::Error& error)
{
    const auto known = bus::from_bus_error(error);
    if (known.code() == ErrorCode::Unavailable) {
        return Error{ErrorCode::HostLacks,
                     "there is no systemd-resolved, which names of VMs need; apt install systemd-resolved"};
    }
    return Error{ErrorCode::Failed, std::string{"systemd-resolved refuses: "} + known.what()};
}

}  // namespace

ResolvedNames::ResolvedNames(sdbus::IConnection& bus)
    : resolved_{sdbus::createProxy(bus, bus::ServiceName{"org.freedesktop.resolve1"},
                                   sdbus::ObjectPath{"/org/freedesktop/resolve1"})}
{
}

ResolvedNames::~ResolvedNames() = default;

void ResolvedNames::publish(const SandboxNetwork& network, const std::string& name, std::uint16_t port, Done done)
{
    const int link = link_of(network);
    const std::vector<Server> servers{Server{AF_INET, bytes_of(network.gateway), port, ""}};
    resolved_->callMethodAsync("SetLinkDNSEx")
        .onInterface(manager_interface)
        .withArguments(static_cast<std::int32_t>(link), servers)
        .uponReplyInvoke([this, link, name, done = std::move(done)](bus::MaybeError error) {
            if (error) {
                done(error_of(*error));
            } else {
                set_domain(link, name, done);
            }
        });
}

void ResolvedNames::set_domain(int link, const std::string& name, Done done)
{
    const std::vector<Domain> domains{Domain{name + ".vm", true}};
    resolved_->callMethodAsync("SetLinkDomains")
        .onInterface(manager_interface)
        .withArguments(static_cast<std::int32_t>(link), domains)
        .uponReplyInvoke([this, link, done = std::move(done)](bus::MaybeError error) {
            if (error) {
                revert(link, [done, problem = error_of(*error)](const std::optional<Error>&) { done(problem); });
                return;
            }
            done(std::nullopt);
        });
}

void ResolvedNames::withdraw(const SandboxNetwork& network, Done done) { revert(link_of(network), std::move(done)); }

void ResolvedNames::revert(int link, Done done)
{
    resolved_->callMethodAsync("RevertLink")
        .onInterface(manager_interface)
        .withArguments(static_cast<std::int32_t>(link))
        .uponReplyInvoke([done = std::move(done)](bus::MaybeError error) {
            done(error ? std::optional<Error>{error_of(*error)} : std::nullopt);
        });
}

}  // namespace banger::broker
