// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/tap/own_namespace.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/user_namespace.hpp"

namespace banger::tap {

void enter_own_namespace() { enter_user_namespace(CLONE_NEWNET); }

void drop_capabilities()
{
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) < 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        throw errno_error("can't give up capabilities", errno);
    }
}

}  // namespace banger::tap
