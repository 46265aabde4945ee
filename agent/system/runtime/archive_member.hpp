// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>

namespace banger::agent {

/// Whether the file begins as a gzip or zip one does. Throws NotFound, Failed.
bool looks_packed(const std::filesystem::path& file);

/// Gives `take` the bytes of one regular file in a .tgz or .zip (a wheel is one); nothing else of it is unpacked, and no name in it is
/// used as a path. False when there is no such member, true when `take` got all of it.
/// Throws CorruptData (damaged, cut off, the member is a link; the sentence says "it" of the archive), Cancelled, what `take` throws.
bool read_member(const std::filesystem::path& archive, const std::string& member,
                 const std::function<void(std::span<const std::uint8_t>)>& take, const std::stop_token& stop);

}  // namespace banger::agent
