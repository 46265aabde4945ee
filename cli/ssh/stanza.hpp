// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

namespace banger::cli {

/// For ssh_config(5): what makes `ssh NAME.vm` lead to that VM. Host keys come from bangerd at each connection, so none is ever kept.
/// Throws InvalidArgument for a path that can't stand there.
std::string ssh_stanza(const std::filesystem::path& banger, const std::filesystem::path& key);

/// For `ssh -o`, which reads it as a line of its configuration. Throws InvalidArgument for a path that can't stand there.
std::string ssh_option(const std::string& name, const std::string& value);

/// The line that includes `file`. Throws InvalidArgument for a path that can't stand there.
std::string include_line(const std::filesystem::path& file);

}  // namespace banger::cli
