// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/legacy_forward.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4/ip_tables.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {
namespace {

constexpr const char* table = "filter";
constexpr std::string_view our_prefix = "bgr";

[[noreturn]] void fail() { throw errno_error("the kernel does not say what iptables-legacy's rules are", errno); }

bool is_used()
{
    std::ifstream names{"/proc/net/ip_tables_names"};
    for (std::string name; std::getline(names, name);) {
        if (name == table) {
            return true;
        }
    }
    return false;
}

template <typename Part>
Part at(const std::vector<char>& bytes, std::size_t offset)
{
    Part part{};
    if (offset + sizeof part > bytes.size()) {
        throw Error{ErrorCode::Failed, "the kernel's table of iptables-legacy is cut short"};
    }
    std::memcpy(&part, &bytes[offset], sizeof part);
    return part;
}

/// `-i bgr+` has the letters, which iptables leaves the plus after, and a mask of three bytes, without the end of the text.
bool is_ours(const char* name, const unsigned char* mask)
{
    return std::string_view{name, IFNAMSIZ}.starts_with(our_prefix) && mask[our_prefix.size() - 1] != 0 &&
           mask[our_prefix.size()] == 0;
}

/// As the kernel has verdicts in a standard target: minus one, and negative.
bool accepts(const xt_standard_target& target)
{
    return target.target.u.user.name[0] == '\0' && target.verdict == -NF_ACCEPT - 1;
}

/// The whole table as struct ipt_get_entries, with its chains' places in `info`.
std::vector<char> read_table(ipt_getinfo& info)
{
    const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    socklen_t size = sizeof info;
    std::strcpy(info.name, table);
    if (!socket || ::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_INFO, &info, &size) < 0) {
        fail();
    }
    ipt_get_entries header{};
    std::strcpy(header.name, table);
    header.size = info.size;
    std::vector<char> bytes(sizeof header + info.size);
    std::memcpy(bytes.data(), &header, sizeof header);
    size = static_cast<socklen_t>(bytes.size());
    if (::getsockopt(socket.get(), IPPROTO_IP, IPT_SO_GET_ENTRIES, bytes.data(), &size) < 0) {
        fail();
    }
    bytes.erase(bytes.begin(), bytes.begin() + sizeof header);
    return bytes;
}

}  // namespace

bool legacy_forward_may_drop()
{
    if (!is_used()) {
        return false;
    }
    ipt_getinfo info{};
    const auto bytes = read_table(info);
    bool in = false;
    bool out = false;
    const std::size_t last = info.underflow[NF_INET_FORWARD];
    for (std::size_t offset = info.hook_entry[NF_INET_FORWARD]; offset <= last;) {
        const auto entry = at<ipt_entry>(bytes, offset);
        if (!accepts(at<xt_standard_target>(bytes, offset + entry.target_offset))) {
            return true;
        }
        in = in || is_ours(entry.ip.iniface, entry.ip.iniface_mask);
        out = out || is_ours(entry.ip.outiface, entry.ip.outiface_mask);
        if ((in && out) || entry.next_offset == 0) {
            return false;
        }
        offset += entry.next_offset;
    }
    return false;
}

}  // namespace banger::broker
