// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace banger::broker {

/// The host's user database. Lane thread, as a directory service may take its time.
class Users {
public:
    Users() = default;
    Users(const Users&) = delete;
    Users& operator=(const Users&) = delete;
    virtual ~Users() = default;

    /// nullopt: no user has this uid. Throws Unavailable when the database can't be asked.
    virtual std::optional<std::string> name_of(uid_t uid) = 0;
};

}  // namespace banger::broker
