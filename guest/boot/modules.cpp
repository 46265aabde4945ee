// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/modules.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "common/unique_fd.hpp"
#include "guest/boot/say.hpp"

namespace banger::guest {

void load_modules(const std::string& list)
{
    std::ifstream file{list};
    for (std::string path; std::getline(file, path);) {
        if (path.empty()) {
            continue;
        }
        const UniqueFd module{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!module || (::syscall(SYS_finit_module, module.get(), "", 0) != 0 && errno != EEXIST)) {
            say("module " + path + ": " + std::strerror(errno));
        }
    }
}

}  // namespace banger::guest
