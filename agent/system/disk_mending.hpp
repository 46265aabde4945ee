// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <stop_token>

#include "agent/system/confinement.hpp"

namespace banger::agent {

/// Looks, without changing anything, at an ext4 that nobody has mounted: damage is told, and mended by nobody but its user. One that was not unmounted
/// in order is passed over, as it may look damaged until its journal has been played back; so is what is no ext4, for mend_disk(). The rest is as
/// there.
void refuse_damage(const std::filesystem::path& disk, const std::filesystem::path& shown, const Confine& confine,
                   const std::stop_token& stop);

/// Plays back the journal of an ext4 that nobody has mounted, and mends what e2fsck(8) mends by itself, in its place. `disk` is a file or a link to a
/// device; `shown` is what people are told to look at, and `log` may be empty. e2fsck sees the disk and nothing else of the user's, as the
/// guest may have made it to take e2fsck over. Throws CorruptData, HostLacks, Cancelled, Failed.
void mend_disk(const std::filesystem::path& disk, const std::filesystem::path& shown, const Confine& confine,
               const std::filesystem::path& log, const std::stop_token& stop);

}  // namespace banger::agent
