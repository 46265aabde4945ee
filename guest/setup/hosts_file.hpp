// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "guest/boot/rooted.hpp"
#include "guest/wire/messages.hpp"

namespace banger::guest {

/// A hosts(5) with our block of it replaced by `entries`; lines of others stay.
std::string with_hosts(const std::string& file, const std::vector<wire::HostEntry>& entries);

/// Writes /etc/hosts where it changes. Throws NoSpace, Failed.
void set_hosts(const Rooted& root, const std::vector<wire::HostEntry>& entries);

}  // namespace banger::guest
