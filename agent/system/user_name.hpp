// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>

namespace banger::agent {

/// By getpwuid_r(3), which may ask a server: it blocks. Empty: there is no such user, or nobody answers.
std::string user_name_of(uid_t uid);

}  // namespace banger::agent
