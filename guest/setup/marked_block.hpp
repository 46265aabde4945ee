// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

/// `file` with the block that `begin_mark` (a comment line of the file's format) begins replaced by `lines`; without lines it has none.
/// Lines of others stay, and so does all that is behind a begin mark without an end mark, but for the mark: somebody has cut the block in two.
std::string with_block(const std::string& file, std::string_view begin_mark, const std::vector<std::string>& lines);

}  // namespace banger::guest
