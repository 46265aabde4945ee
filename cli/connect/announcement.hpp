// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/paths.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// What a bangerd wrote of itself into bangerd.json. It is rewritten when a client brings variables that are taken.
struct Announcement {
    std::string address;  ///< of its bus
    std::string name;     ///< its unique name there; empty from one of before
    int pid{0};
    std::vector<std::string> folders;                ///< state, cache, configuration
    std::map<std::string, std::string> environment;  ///< every variable that holds for all of bangerd; "": it has none
};

/// nullopt for what is no announcement.
std::optional<Announcement> parse_announcement(std::string_view text);

/// Whether Manager.ShareEnvironment could neither change nor refuse anything: what the caller's folders and variables say is what this bangerd has.
bool agrees(const Announcement& announcement, const Paths& paths, const std::map<std::string, std::string>& variables);

}  // namespace banger::cli
