// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "guest/boot/rooted.hpp"

namespace banger::guest {

/// Sets the kernel's host name, /etc/hostname and the 127.0.1.1 line of /etc/hosts where they differ; an empty name
/// changes nothing. Throws NoSpace, Failed.
void set_hostname(const std::string& name, const Rooted& image);

/// `hosts` with 127.0.1.1 standing for `name` alone.
std::string hosts_with_name(const std::string& hosts, const std::string& name);

}  // namespace banger::guest
