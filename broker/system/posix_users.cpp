// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/posix_users.hpp"

#include <pwd.h>

#include <cerrno>
#include <vector>

#include "common/error.hpp"

namespace banger::broker {

std::optional<std::string> PosixUsers::name_of(uid_t uid)
{
    constexpr std::size_t first_size = 1024;
    constexpr std::size_t largest_size = std::size_t{1} << 20U;
    std::vector<char> buffer(first_size);
    for (;;) {
        passwd entry{};
        passwd* found = nullptr;
        const int failure = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
        if (failure == ERANGE && buffer.size() < largest_size) {
            buffer.resize(2 * buffer.size());
        } else if (failure != 0 && failure != EINTR) {
            throw errno_error("the user database does not answer", failure, ErrorCode::Unavailable);
        } else if (failure == 0) {
            return found != nullptr ? std::optional<std::string>{entry.pw_name} : std::nullopt;
        }
    }
}

}  // namespace banger::broker
