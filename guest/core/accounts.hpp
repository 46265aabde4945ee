// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

struct Account {
    std::string name;
    uid_t uid{0};
    gid_t gid{0};
    std::vector<gid_t> groups;  ///< with gid
    std::string home{"/"};
    std::string shell{"/bin/sh"};
};

/// Reads /etc/passwd and /etc/group themselves: a static program has no NSS, so accounts of other sources are known by
/// number only.
/// `spec`: a user, or user:group, each a name or a number; empty is root. A number needs no entry, and is never taken for a name; a group
/// that is given is the only one. Throws NotFound.
Account find_account(std::string_view spec, const std::string& etc = "/etc");

}  // namespace banger::guest
