// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/listeners.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <tuple>

namespace banger::guest {
namespace {

constexpr std::string_view tcp_listen = "0A";       // TCP_LISTEN
constexpr std::string_view udp_unconnected = "07";  // TCP_CLOSE, as UDP's sockets have it

std::vector<std::string_view> fields_of(std::string_view line)
{
    std::vector<std::string_view> fields;
    while (true) {
        const auto begin = line.find_first_not_of(' ');
        if (begin == std::string_view::npos) {
            return fields;
        }
        const auto end = std::min(line.find(' ', begin), line.size());
        fields.push_back(line.substr(begin, end - begin));
        line.remove_prefix(end);
    }
}

template <typename T>
bool read_number(std::string_view text, int base, T& number)
{
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return problem == std::errc{} && end == text.data() + text.size();
}

/// "0100007F" is 127.0.0.1 on this little-endian machine: the kernel prints words of an address that is in network order.
std::string address_of(std::string_view hex)
{
    constexpr std::size_t digits = 8;
    constexpr std::size_t most_words = 4;
    std::array<std::uint32_t, most_words> words{};
    const auto count = hex.size() / digits;
    if (hex.size() % digits != 0 || (count != 1 && count != most_words)) {
        return {};
    }
    for (std::size_t i = 0; i < count; ++i) {
        if (!read_number(hex.substr(i * digits, digits), 16, words[i])) {
            return {};
        }
    }
    std::array<char, INET6_ADDRSTRLEN> text{};
    return ::inet_ntop(count == 1 ? AF_INET : AF_INET6, words.data(), text.data(), text.size()) == nullptr
               ? std::string{}
               : std::string{text.data()};
}

std::string first_line(const std::filesystem::path& path)
{
    std::ifstream file{path};
    std::string line;
    std::getline(file, line);
    return line;
}

std::string content_of_file(const char* path)
{
    std::ifstream file{path};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// The inode of "socket:[123]"; 0 for what is no socket.
std::uint64_t socket_inode(const std::filesystem::path& link)
{
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(link, gone).string();
    constexpr std::string_view prefix = "socket:[";
    std::uint64_t inode = 0;
    if (gone || !target.starts_with(prefix)) {
        return 0;
    }
    std::from_chars(target.data() + prefix.size(), target.data() + target.size(), inode);
    return inode;
}

}  // namespace

std::vector<OpenPort> open_ports(std::string_view text, std::string_view protocol)
{
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
    constexpr std::size_t local = 1;
    constexpr std::size_t state = 3;
    constexpr std::size_t inode = 9;
    const auto wanted = protocol == "tcp" ? tcp_listen : udp_unconnected;
    std::vector<OpenPort> ports;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto fields = fields_of(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (fields.size() <= inode || fields[state] != wanted) {
            continue;
        }
        const auto border = fields[local].find(':');
        OpenPort one;
        one.listener.protocol = protocol;
        if (border == std::string_view::npos || !read_number(fields[local].substr(border + 1), 16, one.listener.port) ||
            one.listener.port == 0 || !read_number(fields[inode], 10, one.inode)) {
            continue;
        }
        one.listener.address = address_of(fields[local].substr(0, border));
        if (!one.listener.address.empty()) {
            ports.push_back(std::move(one));
        }
    }
    return ports;
}

std::map<std::uint64_t, std::string> holders_of(const std::vector<OpenPort>& ports)
{
    namespace fs = std::filesystem;
    std::set<std::uint64_t> wanted;
    for (const auto& port : ports) {
        wanted.insert(port.inode);
    }
    std::map<std::uint64_t, std::string> holders;
    std::error_code none;
    // Processes come and go meanwhile: one that can't be read is gone, or not ours to see.
    for (auto at = fs::directory_iterator{"/proc", none}; !none && at != fs::directory_iterator{}; at.increment(none)) {
        if (holders.size() == wanted.size()) {
            break;
        }
        if (at->path().filename().string().find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        std::error_code gone;
        for (auto fd = fs::directory_iterator{at->path() / "fd", gone}; !gone && fd != fs::directory_iterator{};
             fd.increment(gone)) {
            const auto inode = socket_inode(fd->path());
            if (inode != 0 && wanted.contains(inode) && !holders.contains(inode)) {
                holders.emplace(inode, first_line(at->path() / "comm"));
            }
        }
    }
    return holders;
}

wire::ListenersResult machine_listeners()
{
    std::vector<OpenPort> ports;
    for (const auto& [path, protocol] : {std::pair{"/proc/net/tcp", "tcp"},
                                         {"/proc/net/tcp6", "tcp"},
                                         {"/proc/net/udp", "udp"},
                                         {"/proc/net/udp6", "udp"}}) {
        auto more = open_ports(content_of_file(path), protocol);
        std::move(more.begin(), more.end(), std::back_inserter(ports));
    }
    const auto holders = holders_of(ports);
    for (auto& port : ports) {
        if (const auto holder = holders.find(port.inode); holder != holders.end()) {
            port.listener.program = holder->second;
        }
    }
    const auto key = [](const OpenPort& port) {
        return std::tie(port.listener.port, port.listener.protocol, port.listener.address);
    };
    std::sort(ports.begin(), ports.end(), [&key](const OpenPort& a, const OpenPort& b) { return key(a) < key(b); });
    // SO_REUSEPORT: several sockets at one port are one thing to who connects.
    const auto same = [&key](const OpenPort& a, const OpenPort& b) { return key(a) == key(b); };
    ports.erase(std::unique(ports.begin(), ports.end(), same), ports.end());
    ports.resize(std::min(ports.size(), wire::ListenersResult::most));
    wire::ListenersResult result;
    for (auto& port : ports) {
        result.listeners.push_back(std::move(port.listener));
    }
    return result;
}

}  // namespace banger::guest
