// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/nft_script.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::broker {
namespace {

constexpr std::size_t interface_limit = 15;  // IFNAMSIZ, without the NUL

constexpr std::string_view skeleton = R"(add table inet banger
add set inet banger taps { type ifname; }
add set inet banger nat { type ifname; }
add set inet banger nat_guests { type ipv4_addr; }
add set inet banger gateways { type ifname . ipv4_addr; }
add set inet banger uplinks { type ifname; }
add map inet banger owners { type ifname : verdict; }
add chain inet banger outward
add chain inet banger from_guest
add chain inet banger forward { type filter hook forward priority filter; policy accept; }
add chain inet banger input { type filter hook input priority filter; policy accept; }
add chain inet banger postrouting { type nat hook postrouting priority srcnat; policy accept; }
flush chain inet banger outward
flush chain inet banger from_guest
flush chain inet banger forward
flush chain inet banger input
flush chain inet banger postrouting
add rule inet banger forward iifname @taps oifname @taps iifname vmap @owners
add rule inet banger forward iifname @taps oifname @taps drop
add rule inet banger forward iifname @taps jump outward
add rule inet banger forward oifname @nat ct state established,related accept
add rule inet banger forward oifname @taps drop
add rule inet banger forward meta nfproto ipv4 iifname @uplinks drop
add rule inet banger outward ip daddr 169.254.0.0/16 drop
add rule inet banger outward iifname @nat accept
add rule inet banger outward drop
add rule inet banger input iifname @taps jump from_guest
add rule inet banger from_guest ct state established,related accept
add rule inet banger from_guest iifname . ip daddr @gateways icmp type echo-request accept
add rule inet banger from_guest iifname . ip daddr @gateways meta l4proto { tcp, udp } th dport 53 accept
add rule inet banger from_guest drop
add rule inet banger postrouting ip saddr @nat_guests oifname != @taps masquerade
add table netdev banger
)";

[[noreturn]] void refuse(std::string_view name)
{
    throw Error{ErrorCode::Internal, "\"" + shown(name) + "\" is no name of ours"};
}

/// Nothing but what it should be comes into a script.
void check(const SandboxNetwork& network)
{
    constexpr std::string_view prefix = "bgr";
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (network.tap.size() <= prefix.size() || network.tap.size() > interface_limit ||
        !network.tap.starts_with(prefix) ||
        !std::all_of(network.tap.begin() + prefix.size(), network.tap.end(), is_digit)) {
        refuse(network.tap);
    }
    if (!network.altname.starts_with(SandboxKey::mark_prefix) ||
        SandboxKey::parse_mark(network.altname).uid != network.uid) {
        refuse(network.altname);
    }
}

std::string quoted(const std::string& name) { return "\"" + name + "\""; }
std::string user_of(const SandboxNetwork& network) { return "user_" + std::to_string(network.uid); }

std::string element(const std::string& verb, const std::string& set, const std::string& value)
{
    return verb + " element inet banger " + set + " { " + value + " }\n";
}

/// Debian 12's nft has no `destroy`: what is added first can be deleted without an error.
std::string without(const std::string& set, const std::string& value)
{
    return element("add", set, value) + element("delete", set, value);
}

std::string owner_of(const SandboxNetwork& network) { return quoted(network.tap) + " : jump " + user_of(network); }
std::string gateway_of(const SandboxNetwork& network)
{
    return quoted(network.tap) + " . " + ipv4_text(network.gateway);
}

std::string add_user(const SandboxNetwork& network)
{
    const auto user = user_of(network);
    return "add set inet banger " + user + " { type ifname; }\nadd chain inet banger " + user +
           "\nflush chain inet banger " + user + "\nadd rule inet banger " + user + " oifname @" + user + " accept\n";
}

std::string remove_user(const SandboxNetwork& network)
{
    const auto user = user_of(network);
    return "flush chain inet banger " + user + "\ndelete chain inet banger " + user + "\ndelete set inet banger " +
           user + "\n";
}

}  // namespace

std::string nft_skeleton() { return std::string{skeleton}; }

std::string nft_without_tables()
{
    return "add table inet banger\ndelete table inet banger\nadd table netdev banger\ndelete table netdev banger\n";
}

std::string nft_add(const SandboxNetwork& network)
{
    check(network);
    return add_user(network) + element("add", user_of(network), quoted(network.tap)) +
           element("add", "owners", owner_of(network)) + element("add", "gateways", gateway_of(network)) +
           element("add", "taps", quoted(network.tap)) + nft_set_nat(network);
}

std::string nft_add_ingress(const SandboxNetwork& network)
{
    check(network);
    const auto chain = " netdev banger " + network.tap;
    const auto mac = mac_text(network.mac);
    const auto guest = ipv4_text(network.guest);
    const auto rule = "add rule" + chain + " ether saddr " + mac;
    return "add chain" + chain + " { type filter hook ingress device " + quoted(network.tap) +
           " priority filter; policy drop; }\nflush chain" + chain + "\n" + rule +
           " ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4 arp saddr ether " + mac + " arp saddr ip " +
           guest + " accept\n" + rule + " ether type ip ip saddr " + guest + " accept\n";
}

std::string nft_remove(const SandboxNetwork& network, LastOfUser last)
{
    check(network);
    const auto chain = " chain netdev banger " + network.tap + "\n";
    return without("taps", quoted(network.tap)) + without("nat", quoted(network.tap)) +
           without("nat_guests", ipv4_text(network.guest)) + without("gateways", gateway_of(network)) +
           add_user(network) + without("owners", owner_of(network)) + without(user_of(network), quoted(network.tap)) +
           (last == LastOfUser::Yes ? remove_user(network) : "") + "add" + chain + "flush" + chain + "delete" + chain;
}

std::string nft_set_nat(const SandboxNetwork& network)
{
    check(network);
    const auto tap = quoted(network.tap);
    const auto guest = ipv4_text(network.guest);
    return network.nat == Nat::On ? element("add", "nat", tap) + element("add", "nat_guests", guest)
                                  : without("nat", tap) + without("nat_guests", guest);
}

bool nft_can_write(const std::string& interface)
{
    return !interface.empty() && interface.size() <= interface_limit &&
           std::all_of(interface.begin(), interface.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '_' || c == '-' || c == '@';
           });
}

std::string nft_set_uplinks(const std::vector<std::string>& interfaces)
{
    std::string script = "flush set inet banger uplinks\n";
    for (const auto& interface : interfaces) {
        if (!nft_can_write(interface)) {
            throw Error{ErrorCode::Failed, "\"" + shown(interface) + "\" can't be written into a rule"};
        }
        script += element("add", "uplinks", quoted(interface));
    }
    return script;
}

std::string nft_add_foreign(const std::string& chain, const SandboxNetwork& network)
{
    check(network);
    std::string script;
    for (const auto* direction : {"iifname", "oifname"}) {
        script += "insert rule ip filter " + chain + " " + direction + " " + quoted(network.tap) +
                  " counter packets 0 bytes 0 accept comment " + quoted(network.altname) + "\n";
    }
    return script;
}

}  // namespace banger::broker
