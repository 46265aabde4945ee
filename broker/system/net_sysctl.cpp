// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/net_sysctl.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::broker {
namespace {

std::string path_of(IpVersion version, const std::string& interface, const std::string& key)
{
    return std::string{"/proc/sys/net/"} + (version == IpVersion::V4 ? "ipv4" : "ipv6") + "/conf/" + interface + "/" +
           key;
}

}  // namespace

std::optional<std::string> read_net_sysctl(IpVersion version, const std::string& interface, const std::string& key)
{
    const auto path = path_of(version, interface, key);
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) {
        return std::nullopt;
    }
    std::array<char, 32> text{};
    const auto got = file ? ::read(file.get(), text.data(), text.size()) : -1;
    if (got < 0) {
        throw errno_error("can't read " + path, errno);
    }
    const std::string value{text.data(), static_cast<std::size_t>(got)};
    return value.substr(0, value.find('\n'));
}

bool write_net_sysctl(IpVersion version, const std::string& interface, const std::string& key, const std::string& value)
{
    const auto path = path_of(version, interface, key);
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (!file && errno == ENOENT) {
        return false;
    }
    if (!file || ::write(file.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) {
        throw errno_error("can't set " + path, errno);
    }
    return true;
}

}  // namespace banger::broker
