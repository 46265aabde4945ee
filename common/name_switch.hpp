// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger {

/// Whether hosts are looked up by `service`, too, as in nsswitch.conf(5) at `file`. No such file: they are not.
bool looks_up_hosts_by(const std::string& service, const std::filesystem::path& file);

}  // namespace banger
