// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/user_namespace.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger {
namespace {

void write_once(const char* path, const std::string& text)
{
    const UniqueFd file{::open(path, O_WRONLY | O_CLOEXEC)};
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw errno_error(std::string{"can't write "} + path, errno, ErrorCode::HostLacks);
    }
}

}  // namespace

void enter_user_namespace(int also)
{
    const auto user = std::to_string(::geteuid());
    const auto group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | also) < 0) {
        throw errno_error(
            "this host gives its users no namespaces (sysctl user.max_user_namespaces, "
            "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
            errno, ErrorCode::HostLacks);
    }
    write_once("/proc/self/setgroups", "deny");  // user_namespaces(7): without it no gid_map for us
    write_once("/proc/self/uid_map", user + " " + user + " 1");
    write_once("/proc/self/gid_map", group + " " + group + " 1");
}

}  // namespace banger
