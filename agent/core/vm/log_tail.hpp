// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger::agent {

/// The last lines of a log, at most 1 KiB, as UTF-8, control characters and other bytes shown as '?'; empty when there is none.
std::string tail_of_log(const std::filesystem::path& log);

/// The log of the VMM that runs or last ran in a VM's folder: the one written to last.
std::filesystem::path vmm_log_in(const std::filesystem::path& folder);

/// A log above 1 MiB becomes LOG.1, in place of an older one. Only while nobody writes to it.
void rotate_log(const std::filesystem::path& log);

/// For a log that a VMM holds open: above 8 MiB (on the disk) its content goes to LOG.1 and the file is emptied. A VMM that does not
/// append (Firecracker) goes on behind a hole, which takes no room.
void truncate_log(const std::filesystem::path& log);

}  // namespace banger::agent
