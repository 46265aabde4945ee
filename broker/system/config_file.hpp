// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "broker/core/config.hpp"

namespace banger::broker {

/// The settings in `file`, or the defaults where there is no such file. Throws InvalidArgument: a mistake in it, with file and line, or a file
/// that can't be read, as nobody knows what it would have said.
BrokerConfig load_config(const std::string& file);

}  // namespace banger::broker
