// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/internal_nat.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <cerrno>
#include <memory>

#include "cli/connect/agent.hpp"
#include "cli/connect/operation.hpp"
#include "common/c_ptr.hpp"

namespace banger::cli {
namespace {

struct NatCommand {
    std::string guest_ip;
    std::string tap_device;
};

in_addr_t address_of(const std::string& text)
{
    in_addr address{};
    if (::inet_pton(AF_INET, text.c_str(), &address) != 1) {
        throw Error{ErrorCode::InvalidArgument, "--guest-ip wants an IPv4 address, not \"" + text + "\""};
    }
    return address.s_addr;
}

/// Whether the guest is behind this interface: its address is in the interface's own network.
bool leads_to(const ifaddrs& one, const std::string& device, in_addr_t guest)
{
    if (one.ifa_addr == nullptr || one.ifa_netmask == nullptr || one.ifa_addr->sa_family != AF_INET ||
        device != one.ifa_name) {
        return false;
    }
    const auto own = reinterpret_cast<const sockaddr_in*>(one.ifa_addr)->sin_addr.s_addr;
    const auto mask = reinterpret_cast<const sockaddr_in*>(one.ifa_netmask)->sin_addr.s_addr;
    return (own & mask) == (guest & mask);
}

void check_device(const NatCommand& command)
{
    const auto guest = address_of(command.guest_ip);
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        throw errno_error("can't list this host's interfaces", errno);
    }
    const c_ptr<ifaddrs, ::freeifaddrs> owned{list};
    for (const auto* one = list; one != nullptr; one = one->ifa_next) {
        if (leads_to(*one, command.tap_device, guest)) {
            return;
        }
    }
    throw Error{ErrorCode::NotFound, "no guest with the address " + command.guest_ip + " is behind an interface \"" +
                                         command.tap_device + "\" of this host; banger vm list shows addresses"};
}

std::string name_of(Agent& agent, const std::string& guest_ip)
{
    constexpr std::size_t name = 1;
    constexpr std::size_t address = 7;
    constexpr std::size_t network = 12;
    for (const auto& row : translated([&] { return agent.manager().ListVms({{"state", "running"}}); })) {
        if (row.get<address>() == guest_ip && row.get<network>() == "tap") {
            return row.get<name>();
        }
    }
    throw Error{ErrorCode::NotFound,
                "none of your running VMs has a TAP and the address " + guest_ip + "; banger vm list shows addresses"};
}

int switch_nat(const NatCommand& command, bool on)
{
    check_device(command);
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto name = name_of(*agent, command.guest_ip);
    const auto vm = agent->find_vm(name);
    const auto progress = make_progress(ProgressForm::Silent);
    OperationWatch watch{*agent, signals, *progress};
    watch.add(name, translated([&] { return vm->Set({{"nat", sdbus::Variant{on}}}); }));
    const auto outcomes = watch.wait();
    if (watch.interrupted()) {
        return exit_code_of_signal(*watch.interrupted());
    }
    if (outcomes.front().error) {
        throw Error{*outcomes.front().error};
    }
    return 0;
}

}  // namespace

void add_internal_nat(Command internal, Context& context)
{
    const auto nat = internal.subcommand("nat", "Switch NAT as the original banger did; banger vm set does it by name");
    nat.require_subcommand();
    for (const bool on : {true, false}) {
        const auto command = std::make_shared<NatCommand>();
        const auto app = add_command(nat, context, on ? "up" : "down",
                                     on ? "Let a guest of yours reach more than this host" : "And no longer",
                                     [command, on] { return switch_nat(*command, on); });
        app.option("--guest-ip", command->guest_ip, "the guest's IPv4 address").required().value_name("IP");
        app.option("--tap-device", command->tap_device, "the TAP that it is behind").required().value_name("DEV");
    }
}

}  // namespace banger::cli
