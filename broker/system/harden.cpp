// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/harden.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::broker {
namespace {

[[noreturn]] void fail(const char* what, int error) { throw errno_error(std::string{"can't "} + what, error); }

/// Whether the bounding set has these two alone.
bool is_bounded()
{
    for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
        const bool kept = capability == CAP_SYS_ADMIN || capability == CAP_NET_ADMIN;
        if (!kept && ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1) {
            return false;
        }
    }
    return true;
}

/// The unit bounds them, and then there is no CAP_SETPCAP to do it with; where it doesn't, capng_apply() does, before that one is gone.
void drop_capabilities()
{
    const auto what = is_bounded() ? CAPNG_SELECT_CAPS : CAPNG_SELECT_ALL;
    const auto sets = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET);
    capng_clear(CAPNG_SELECT_ALL);
    if (capng_updatev(CAPNG_ADD, sets, CAP_SYS_ADMIN, CAP_NET_ADMIN, -1) < 0 || capng_apply(what) < 0 ||
        !is_bounded()) {
        fail("give capabilities away", EPERM);
    }
}

/// Not a list of what is allowed, which the unit has: this one holds where no systemd started us, too.
void forbid_system_calls()
{
    constexpr std::array never{SCMP_SYS(execve),
                               SCMP_SYS(execveat),
                               SCMP_SYS(ptrace),
                               SCMP_SYS(process_vm_readv),
                               SCMP_SYS(process_vm_writev),
                               SCMP_SYS(mount),
                               SCMP_SYS(umount2),
                               SCMP_SYS(move_mount),
                               SCMP_SYS(open_tree),
                               SCMP_SYS(fsopen),
                               SCMP_SYS(fsmount),
                               SCMP_SYS(fsconfig),
                               SCMP_SYS(fspick),
                               SCMP_SYS(pivot_root),
                               SCMP_SYS(chroot),
                               SCMP_SYS(unshare),
                               SCMP_SYS(setns),
                               SCMP_SYS(init_module),
                               SCMP_SYS(finit_module),
                               SCMP_SYS(delete_module),
                               SCMP_SYS(kexec_load),
                               SCMP_SYS(kexec_file_load),
                               SCMP_SYS(bpf),
                               SCMP_SYS(perf_event_open),
                               SCMP_SYS(reboot),
                               SCMP_SYS(swapon),
                               SCMP_SYS(swapoff),
                               SCMP_SYS(open_by_handle_at),
                               SCMP_SYS(add_key),
                               SCMP_SYS(keyctl),
                               SCMP_SYS(request_key),
                               SCMP_SYS(userfaultfd),
                               SCMP_SYS(quotactl),
                               SCMP_SYS(acct),
                               SCMP_SYS(fork),
                               SCMP_SYS(vfork)};
    const c_ptr<void, seccomp_release> filter{seccomp_init(SCMP_ACT_ALLOW)};
    if (!filter) {
        fail("make a filter of system calls", ENOMEM);
    }
    for (const int call : never) {
        if (const int result = seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0); result < 0) {
            fail("filter a system call", -result);
        }
    }
    if (const int result = seccomp_load(filter.get()); result < 0) {
        fail("load the filter of system calls", -result);
    }
}

}  // namespace

void harden()
{
    ::umask(077);
    if (::chdir("/") < 0) {
        fail("change to /", errno);
    }
    constexpr unsigned first_stray = 3;
    if (::close_range(first_stray, ~0U, 0) < 0) {
        fail("close descriptors", errno);
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        fail("give new privileges away", errno);
    }
    drop_capabilities();
    forbid_system_calls();
}

}  // namespace banger::broker
