// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <stop_token>
#include <string>

namespace banger::agent {

/// Runs a program of the user's, without a shell and without arguments, that prints a VM's name as its first line. Worker thread.
/// Throws HostLacks (it can't be run), Failed (it exits with another code than 0), InvalidArgument (what it prints is no name), TimedOut once `late`
/// is asked for.
std::string print_name(const std::filesystem::path& program, const std::stop_token& late);

}  // namespace banger::agent
