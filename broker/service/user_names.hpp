// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "broker/ports/users.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

namespace banger::broker {

/// For Gate::Parts::name_of: looks on `lane`, tells on `loop`. One who has no name is "the user with the number UID". All must outlive it.
std::function<void(uid_t, std::function<void(std::string name)> told)> user_names(EventLoop& loop, Lane& lane,
                                                                                  Users& users);

}  // namespace banger::broker
