// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "common/unique_fd.hpp"

namespace banger::broker {

enum class LockWait { No, AWhile };

/// Makes the folder and its parts where they are missing (root's, 0700), and locks it: one broker at a time. Nothing where another holds it
/// and nobody waits; AWhile waits 3 s for one that is leaving, then throws AlreadyExists. Throws Failed, NotAuthorized (it is writable by others).
std::optional<UniqueFd> lock_state_folder(const std::string& folder, LockWait wait);

}  // namespace banger::broker
