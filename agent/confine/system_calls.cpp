// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/system_calls.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::confine {
namespace {

// Newer than Debian 12's libseccomp; the number is the same on each architecture.
constexpr int fchmodat2_call = 452;
constexpr int setxattrat_call = 463;
constexpr int removexattrat_call = 466;
constexpr int file_setattr_call = 469;

constexpr std::array refused_calls{
    // Landlock lets through: it guards what is in files, not what is said of them.
    SCMP_SYS(chmod), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), fchmodat2_call, SCMP_SYS(chown), SCMP_SYS(fchown),
    SCMP_SYS(lchown), SCMP_SYS(fchownat), SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(fsetxattr), setxattrat_call,
    SCMP_SYS(removexattr), SCMP_SYS(lremovexattr), SCMP_SYS(fremovexattr), removexattrat_call, file_setattr_call,
    SCMP_SYS(utime), SCMP_SYS(utimes), SCMP_SYS(utimensat), SCMP_SYS(futimesat),
    SCMP_SYS(truncate),                                    // Landlock's from version 3, Linux 6.2
    SCMP_SYS(inotify_add_watch), SCMP_SYS(fanotify_mark),  // names of files as others use them
    // This user's other processes and his keys.
    SCMP_SYS(kill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(pidfd_getfd), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(setpriority), SCMP_SYS(ioprio_set), SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler),
    SCMP_SYS(sched_setattr), SCMP_SYS(sched_setaffinity), SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key),
    // What they share in memory (windows of X11 programs, for one) and say to each other; no file of any folder.
    SCMP_SYS(shmget), SCMP_SYS(shmat), SCMP_SYS(shmctl), SCMP_SYS(semget), SCMP_SYS(semop), SCMP_SYS(semtimedop),
    SCMP_SYS(semctl), SCMP_SYS(msgget), SCMP_SYS(msgsnd), SCMP_SYS(msgrcv), SCMP_SYS(msgctl), SCMP_SYS(mq_open),
    SCMP_SYS(mq_unlink),
    // What would make all of this void, or is much of the kernel for a VMM that needs none of it.
    SCMP_SYS(io_uring_setup), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(open_by_handle_at), SCMP_SYS(unshare),
    SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
    SCMP_SYS(fsmount), SCMP_SYS(fsconfig), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot)};

void check_filter(int result, const char* what)
{
    if (result < 0) {
        throw errno_error(std::string{"can't "} + what + " a filter of system calls", -result);
    }
}

constexpr scmp_datum_t whole_number = 0xffff'ffff;   // of an int, as a kernel looks at no more of its register
constexpr scmp_datum_t kind_of_socket = 0xf;         // without SOCK_CLOEXEC and the like
constexpr scmp_datum_t musl_first_free_signal = 35;  // SIGRTMIN there

/// As libseccomp's SCMP_A0 and so on, which are C alone.
scmp_arg_cmp argument_is_not(unsigned number, scmp_datum_t value)
{
    return {.arg = number, .op = SCMP_CMP_NE, .datum_a = value, .datum_b = 0};
}

scmp_arg_cmp argument_has(unsigned number, scmp_datum_t mask, scmp_datum_t value)
{
    return {.arg = number, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

class Filter {
public:
    Filter() : filter_{seccomp_init(SCMP_ACT_ALLOW)} { check_filter(filter_ ? 0 : -ENOMEM, "make"); }

    template <typename... Conditions>
    void refuse(int call, Conditions... conditions)
    {
        refuse_with(EPERM, call, conditions...);
    }
    template <typename... Conditions>
    void refuse_with(int error, int call, Conditions... conditions)
    {
        check_filter(seccomp_rule_add(filter_.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call,
                                      sizeof...(conditions), conditions...),
                     "fill");
    }
    void load() { check_filter(seccomp_load(filter_.get()), "load"); }

private:
    c_ptr<void, seccomp_release> filter_;
};

/// What a VMM needs for itself, and could turn against other processes of its user's.
void refuse_others(Filter& filter, Sockets sockets)
{
    // Threads of its own, by which QEMU stops its CPUs; the exec keeps the pid.
    filter.refuse(SCMP_SYS(tgkill), argument_is_not(0, static_cast<scmp_datum_t>(::getpid())));
    if (sockets != Sockets::None) {
        // Firecracker does it by musl's pthread_kill(3), which names no process. Without it a guest's second CPU would never stop, and neither
        // would Firecracker.
        filter.refuse(SCMP_SYS(tkill), argument_is_not(1, musl_first_free_signal));
    } else {
        filter.refuse(SCMP_SYS(tkill));
    }
    filter.refuse(SCMP_SYS(prlimit64), argument_is_not(0, 0));  // a second of CPU time ends whom it is set for
    // The kernel's own signals, for what happens to a file.
    for (const auto command : std::initializer_list<scmp_datum_t>{F_SETOWN, F_SETOWN_EX}) {
        filter.refuse(SCMP_SYS(fcntl), argument_has(1, whole_number, command));
    }
    for (const auto request : std::initializer_list<scmp_datum_t>{FIOSETOWN, SIOCSPGRP}) {
        filter.refuse(SCMP_SYS(ioctl), argument_has(1, whole_number, request));
    }
    // clone3's flags are in memory, where no filter sees them; C libraries then call clone.
    filter.refuse_with(ENOSYS, SCMP_SYS(clone3));
    filter.refuse(SCMP_SYS(clone), argument_has(0, CLONE_NEWUSER, CLONE_NEWUSER));
}

void refuse_sockets(Filter& filter, Sockets sockets)
{
    if (sockets != Sockets::None) {
        filter.refuse(SCMP_SYS(socket), argument_is_not(0, AF_UNIX));
        filter.refuse(SCMP_SYS(socket), argument_has(1, kind_of_socket, SOCK_DGRAM));  // sends without a connect(2)
        filter.refuse(SCMP_SYS(socket), argument_has(1, kind_of_socket, SOCK_RAW));
        if (sockets == Sockets::Listening) {
            filter.refuse(SCMP_SYS(connect));
        }
    } else {
        for (const int call : {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind)}) {
            filter.refuse(call);
        }
    }
    // Half of a pair of these sends to any address. For Unix sockets the kernel takes the one for the other.
    for (const auto kind : std::initializer_list<scmp_datum_t>{SOCK_DGRAM, SOCK_RAW}) {
        filter.refuse(SCMP_SYS(socketpair), argument_has(1, kind_of_socket, kind));
    }
}

}  // namespace

void restrict_system_calls(Sockets sockets)
{
    Filter filter;
    for (const int call : refused_calls) {
        filter.refuse(call);
    }
    refuse_others(filter, sockets);
    refuse_sockets(filter, sockets);
    filter.load();
}

Sockets sockets_in_reach(const Arguments& arguments, bool own_root, int landlock_version) noexcept
{
    constexpr int guards_abstract_ones_since = 6;
    const bool guarded =
        own_root && (arguments.network != Network::Host || landlock_version >= guards_abstract_ones_since);
    return arguments.sockets == Sockets::Unix && !guarded ? Sockets::Listening : arguments.sockets;
}

}  // namespace banger::confine
