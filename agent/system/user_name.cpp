// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/user_name.hpp"

#include <pwd.h>

#include <array>

namespace banger::agent {

std::string user_name_of(uid_t uid)
{
    std::array<char, 16'384> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    const int failure = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    return failure == 0 && found != nullptr ? entry.pw_name : "";
}

}  // namespace banger::agent
