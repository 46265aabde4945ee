// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/guest/in_namespaces.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <fstream>

#include "common/error.hpp"

namespace banger::guest::test {
namespace {

constexpr int failed = 1;
constexpr int impossible = 97;
constexpr int no_namespace = 98;

bool enter(int flags)
{
    if (flags == 0 || ::unshare(flags) == 0) {
        return true;
    }
    const auto uid = ::geteuid();
    const auto gid = ::getegid();
    if (::unshare(flags | CLONE_NEWUSER) != 0) {
        return false;
    }
    std::ofstream{"/proc/self/setgroups"} << "deny";
    std::ofstream{"/proc/self/uid_map"} << "0 " << uid << " 1";
    std::ofstream{"/proc/self/gid_map"} << "0 " << gid << " 1";
    return ::geteuid() == 0;
}

int run(int flags, const std::function<void()>& work)
{
    if (!enter(flags) ||
        ((flags & CLONE_NEWNS) != 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)) {
        return no_namespace;
    }
    try {
        work();
    } catch (const Impossible& reason) {
        std::printf("%s\n", reason.what());
        std::fflush(stdout);
        return impossible;
    } catch (const std::exception& error) {
        ADD_FAILURE() << "threw: " << error.what();
    }
    std::fflush(stdout);
    return testing::Test::HasFailure() ? failed : 0;
}

}  // namespace

void pass_in_namespaces(int flags, const std::function<void()>& work)
{
    std::fflush(stdout);
    const auto child = ::fork();
    if (child == 0) {
        ::_exit(run(flags, work));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_namespace) {
        GTEST_SKIP() << "this user may make no namespaces here (unshare(2))";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == impossible) {
        GTEST_SKIP() << "as said above";
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "in the child, above";
}

Rooted contained(const std::string& folder)
{
    Rooted root{folder};
    if (root.exists("/proc/self")) {
        throw std::logic_error{"Rooted leads out of " + folder};
    }
    return root;
}

void mount_small_disk(const std::string& path, std::size_t bytes)
{
    if (::mount("tmpfs", path.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) != 0) {
        throw errno_error("no tmpfs at " + path, errno);
    }
}

UniqueFd mount_dead_disk(const std::string& path)
{
    UniqueFd server{::open("/dev/fuse", O_RDWR | O_CLOEXEC)};
    const auto options = "fd=" + std::to_string(server.get()) + ",rootmode=40000,user_id=0,group_id=0";
    if (!server || ::mount("dead", path.c_str(), "fuse", 0, options.c_str()) != 0) {
        throw Impossible{"no FUSE here, so no disk that hangs"};
    }
    return server;
}

}  // namespace banger::guest::test
