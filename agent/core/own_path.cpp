// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/own_path.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "common/error.hpp"

namespace banger::agent {

bool is_own(const std::filesystem::path& path) noexcept
{
    struct stat status {};
    constexpr mode_t others_write = S_IWGRP | S_IWOTH;
    return ::stat(path.c_str(), &status) == 0 && status.st_uid == ::geteuid() && (status.st_mode & others_write) == 0;
}

void check_is_own(const std::filesystem::path& path)
{
    if (!is_own(path)) {
        throw Error{ErrorCode::NotAuthorized,
                    path.string() + " must be yours, and nobody else may write it; chmod go-w " + path.string()};
    }
}

}  // namespace banger::agent
