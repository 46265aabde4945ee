// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/key.hpp"
#include "cli/tui/model.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace banger::cli::tui {

/// A key that does something to what is chosen in a pane.
struct KeyInfo {
    char key;
    Verb verb;
    std::string_view word;     ///< for the last line
    std::string_view meaning;  ///< for the help
};
std::span<const KeyInfo> keys_of(Pane pane);

/// What a key changes; what is to be done by others is given back.
std::optional<Intent> press(Model& model, const Key& key);
/// On a pane's name, or on a row.
void click(Model& model, const Spot& spot);
/// A wheel, or whatever moves through a list.
void scroll(Model& model, std::ptrdiff_t rows);

}  // namespace banger::cli::tui
