// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger::agent {

/// The last lines of a log, at most 1 KiB, as UTF-8, control characters and other bytes shown as '?'; empty when there is none.
std::string tail_of_log(const std::filesystem::path& log);

/// A log above 1 MiB becomes LOG.1, in place of an older one. Only while nobody writes to it.
void rotate_log(const std::filesystem::path& log);

/// For a log that a VMM holds open for appending: above 8 MiB its content goes to LOG.1 and the file is emptied.
void truncate_log(const std::filesystem::path& log);

}  // namespace banger::agent
