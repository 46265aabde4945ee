// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::agent {

/// A megabyte of the state folder's file system that is kept for the day on which it is full: without it bangerd could not even start to
/// delete something. Sparse disks of guests fill a host by their nature.

/// Gives the reserve up where nothing else is free. Before the database is opened.
void use_reserve_when_full(const std::filesystem::path& state) noexcept;
/// Makes it where there is none and plenty of room.
void keep_reserve(const std::filesystem::path& state) noexcept;

}  // namespace banger::agent
