// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/agent/system/small_disk.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent::test {
namespace {

constexpr int no_namespace = 98;
constexpr int threw = 99;

bool write_once(const char* file, const std::string& text)
{
    const int fd = ::open(file, O_WRONLY | O_CLOEXEC);
    const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return written;
}

/// A user needs a namespace of his own to mount in, with himself in it: who has no id there can make no file.
bool enter_namespaces()
{
    const auto uid = std::to_string(::geteuid());
    const auto gid = std::to_string(::getegid());
    if (uid == "0") {
        return ::unshare(CLONE_NEWNS) == 0;
    }
    return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_once("/proc/self/setgroups", "deny") &&
           write_once("/proc/self/uid_map", uid + " " + uid + " 1") &&
           write_once("/proc/self/gid_map", gid + " " + gid + " 1");
}

int run_there(std::size_t bytes, const std::filesystem::path& place,
              const std::function<int(const std::filesystem::path&)>& work)
{
    if (!enter_namespaces() || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.c_str(), "tmpfs", 0, ("mode=0700,size=" + std::to_string(bytes)).c_str()) != 0) {
        return no_namespace;
    }
    try {
        return work(place);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "on the small disk: %s\n", failure.what());
        return threw;
    }
}

}  // namespace

std::optional<int> on_small_disk(std::size_t bytes, const std::function<int(const std::filesystem::path& disk)>& work)
{
    const TemporaryFolder place;
    const auto child = ::fork();
    if (child == 0) {
        ::_exit(run_there(bytes, place.path, work));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : threw;
    return code == no_namespace ? std::nullopt : std::optional{code};
}

}  // namespace banger::agent::test
