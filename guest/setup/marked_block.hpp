// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

/// `file` with the block that `begin_mark` (a comment line of the file's format) begins replaced by `lines`; without lines it has none.
/// Lines of others stay.
std::string with_block(const std::string& file, std::string_view begin_mark, const std::vector<std::string>& lines);

}  // namespace banger::guest
