// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/agent/system/small_disk.hpp"

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

int run_there(std::size_t bytes, const std::filesystem::path& place,
              const std::function<int(const std::filesystem::path&)>& work)
{
    if (::unshare(::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.c_str(), "tmpfs", 0, ("size=" + std::to_string(bytes)).c_str()) != 0) {
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
