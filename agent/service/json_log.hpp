// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace banger::agent::json_log {

enum class Level { Debug, Info, Warn, Error };

/// Opens bangerd.log: JSON lines with time, level, message and, where they apply, vm and operation. Rotated at 4 MiB, three kept.
/// Throws NoSpace, Failed.
void open(const std::filesystem::path& file);
/// debug, info, warn or error. Any thread.
void set_level(std::string_view level);
/// Any thread; never throws. Before open() it goes to standard error.
void write(Level level, std::string_view message, std::string_view vm = {}, std::string_view operation = {}) noexcept;

}  // namespace banger::agent::json_log
