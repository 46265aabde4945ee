// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/own_namespace.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::tap {
namespace {

void write_text(const char* path, const std::string& text)
{
    const UniqueFd file{::open(path, O_WRONLY | O_CLOEXEC)};
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        throw errno_error(std::string{"can't write "} + path, errno, ErrorCode::HostLacks);
    }
}

}  // namespace

void enter_own_namespace()
{
    const auto user = std::to_string(::geteuid());
    const auto group = std::to_string(::getegid());
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        throw errno_error(
            "this host gives its users no namespaces (sysctl user.max_user_namespaces, "
            "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
            errno, ErrorCode::HostLacks);
    }
    write_text("/proc/self/setgroups", "deny");  // user_namespaces(7): without it no gid_map for us
    write_text("/proc/self/uid_map", user + " " + user + " 1");
    write_text("/proc/self/gid_map", group + " " + group + " 1");
}

void drop_capabilities()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) < 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        throw errno_error("can't give up capabilities", errno);
    }
}

}  // namespace banger::tap
