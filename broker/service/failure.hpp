// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <exception>
#include <string>

#include "common/error.hpp"

namespace banger::broker {

/// What went wrong: for the caller, and for the log, which may know more.
struct Failure {
    Error error;
    std::string detail;
};

/// Anything but our own type is a mistake of ours: Internal for the caller, its text for the log alone.
Failure failure_of(std::exception_ptr thrown) noexcept;

}  // namespace banger::broker
