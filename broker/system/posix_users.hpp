// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/users.hpp"

namespace banger::broker {

/// getpwuid_r(3). That a user isn't there is believed only where all sources were asked, as what follows can't be undone (R32).
class PosixUsers final : public Users {
public:
    std::optional<std::string> name_of(uid_t uid) override;
};

}  // namespace banger::broker
