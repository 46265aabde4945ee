// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/setup/hostname.hpp"

#include <unistd.h>

#include <cerrno>
#include <locale>
#include <sstream>

#include "common/error.hpp"

namespace banger::guest {

std::string hosts_with_name(const std::string& hosts, const std::string& name)
{
    constexpr std::string_view own = "127.0.1.1";
    const std::string wanted = std::string{own} + "\t" + name + "\n";
    std::string result;
    bool done = false;
    std::istringstream lines{hosts};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(own) &&
            (line.size() == own.size() || std::isspace(line[own.size()], std::locale::classic()))) {
            result += done ? "" : wanted;
            done = true;
        } else {
            result += line + "\n";
        }
    }
    return done ? result : result + wanted;
}

void set_hostname(const std::string& name, const Rooted& image)
{
    if (name.empty()) {
        return;
    }
    if (::sethostname(name.data(), name.size()) != 0) {
        throw errno_error("The host name " + name, errno);
    }
    if (image.read("/etc/hostname") != name + "\n") {
        image.write("/etc/hostname", name + "\n");
    }
    const auto hosts = image.read("/etc/hosts").value_or("127.0.0.1\tlocalhost\n::1\tlocalhost\n");
    const auto wanted = hosts_with_name(hosts, name);
    if (wanted != hosts) {
        image.write("/etc/hosts", wanted);
    }
}

}  // namespace banger::guest
