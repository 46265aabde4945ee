// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/resolvers.hpp"

#include <arpa/inet.h>

#include <fstream>
#include <sstream>

namespace banger::agent {
namespace {

constexpr std::size_t most_servers = 3;  // resolv.conf(5): MAXNS

/// As dotted text; empty for what is no IPv4 address that a guest can reach.
std::string server_of(const std::string& word)
{
    constexpr std::uint32_t loopback_net = 127;
    constexpr unsigned first_byte = 24;
    in_addr address{};
    if (::inet_pton(AF_INET, word.c_str(), &address) != 1) {
        return "";
    }
    const auto value = ntohl(address.s_addr);
    return value == INADDR_ANY || value >> first_byte == loopback_net ? "" : word;
}

std::vector<std::string> resolvers_in(const std::filesystem::path& file)
{
    std::ifstream stream{file};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    return parse_resolvers(text);
}

}  // namespace

std::vector<std::string> parse_resolvers(std::string_view text)
{
    std::vector<std::string> servers;
    std::istringstream lines{std::string{text}};
    std::string line;
    while (std::getline(lines, line) && servers.size() < most_servers) {
        std::istringstream words{line};
        std::string keyword;
        std::string address;
        words >> keyword >> address;
        const auto server = keyword == "nameserver" ? server_of(address) : "";
        if (!server.empty()) {
            servers.push_back(server);
        }
    }
    return servers;
}

std::vector<std::string> host_resolvers(const std::filesystem::path& root)
{
    const auto servers = resolvers_in(root / "etc/resolv.conf");
    return servers.empty() ? resolvers_in(root / "run/systemd/resolve/resolv.conf") : servers;
}

}  // namespace banger::agent
