// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

namespace banger::agent::test {

/// Runs `work` in a process of its own on a file system of `bytes`, which that process alone sees. Its result is work's, an exit code;
/// nullopt where a user may have no such namespace. An exception is exit code 99.
std::optional<int> on_small_disk(std::size_t bytes, const std::function<int(const std::filesystem::path& disk)>& work);

}  // namespace banger::agent::test
