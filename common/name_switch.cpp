// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/name_switch.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

namespace banger {
namespace {

/// Whether it is the line of host names, and has `service`.
bool names_service(std::string line, const std::string& service)
{
    line.resize(std::min(line.find('#'), line.size()));
    constexpr std::string_view hosts = "hosts:";
    if (!line.starts_with(hosts)) {
        return false;
    }
    std::istringstream words{line.substr(hosts.size())};
    return std::find(std::istream_iterator<std::string>{words}, {}, service) != std::istream_iterator<std::string>{};
}

}  // namespace

bool looks_up_hosts_by(const std::string& service, const std::filesystem::path& file)
{
    std::ifstream lines{file};
    for (std::string line; std::getline(lines, line);) {
        if (names_service(line, service)) {
            return true;
        }
    }
    return false;
}

}  // namespace banger
