// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace banger::cli {

/// How the names in an archive become names on disk: the first component `root` becomes `name`; each may be "" for none.
struct Renaming {
    std::string root;
    std::string name;
};

/// Where a member goes, relative to the folder that is unpacked into; "." for that folder itself. nullopt for a name that a well-meaning guest doesn't
/// send: absolute, with `..`, with another first component, or with nothing to be named by.
std::optional<std::string> place_member(std::string_view member, const Renaming& renaming);

}  // namespace banger::cli
