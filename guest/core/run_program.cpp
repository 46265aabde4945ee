// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/run_program.hpp"

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>

#include "common/unique_fd.hpp"
#include "guest/core/spawn.hpp"

namespace banger::guest {

int run_program(const std::vector<std::string>& argv)
{
    const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const UniqueFd above{::fcntl(null.get(), F_DUPFD_CLOEXEC, 3)};
    SpawnPlan plan;
    plan.argv = argv;
    plan.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                        "LANG=C.UTF-8"};
    plan.directory = "/";
    plan.fds = {above.get(), above.get(), above.get()};
    const auto result = finish_spawn(begin_spawn(plan));
    int status = 0;
    if (result.pid < 0) {
        return -1;
    }
    while (::waitpid(result.pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace banger::guest
