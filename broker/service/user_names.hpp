// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/users.hpp"
#include "broker/service/gate.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

namespace banger::broker {

/// Looks on `lane`, tells on `loop`. All must outlive it. What it gives throws Unavailable when the lane is full.
NameOf user_names(EventLoop& loop, Lane& lane, Users& users);

}  // namespace banger::broker
