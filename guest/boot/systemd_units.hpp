// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

/// Writes our units and masks below `run` ("/run"), which systemd then finds as /run/systemd/system. The image is not
/// changed. `mounts`: mount points of ours, absolute, which systemd is not to unmount while something may still use them (its last
/// round does, after all processes are gone). Throws NoSpace, Failed.
void write_systemd_units(const std::string& run, bool reset_to_power_off, const std::vector<std::string>& mounts);

/// The name of the unit that stands for an absolute mount point, as systemd-escape(1) makes it.
std::string mount_unit(std::string_view path);

}  // namespace banger::guest
