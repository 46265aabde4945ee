// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/announcement.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace banger::cli {
namespace {

std::string text_member(const nlohmann::json& object, const char* key)
{
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string{};
}

}  // namespace

std::optional<Announcement> parse_announcement(std::string_view text)
{
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) {
        return std::nullopt;
    }
    Announcement announcement;
    announcement.address = text_member(json, "address");
    announcement.name = text_member(json, "name");
    if (const auto pid = json.find("pid"); pid != json.end() && pid->is_number_integer()) {
        announcement.pid = pid->get<int>();
    }
    if (const auto folders = json.find("folders"); folders != json.end() && folders->is_array()) {
        for (const auto& folder : *folders) {
            announcement.folders.push_back(folder.is_string() ? folder.get<std::string>() : std::string{});
        }
    }
    if (const auto environment = json.find("environment"); environment != json.end() && environment->is_object()) {
        for (const auto& [name, value] : environment->items()) {
            announcement.environment.emplace(name, value.is_string() ? value.get<std::string>() : std::string{});
        }
    }
    return announcement.address.empty() ? std::nullopt : std::optional{std::move(announcement)};
}

bool agrees(const Announcement& announcement, const Paths& paths, const std::map<std::string, std::string>& variables)
{
    // Paths of other spellings may be the same folder; bangerd looks.
    const std::vector<std::string> folders{paths.state.string(), paths.cache.string(), paths.config.string()};
    if (announcement.name.empty() || announcement.environment.empty() || announcement.folders != folders) {
        return false;
    }
    const auto is_no_news = [&variables](const auto& variable) {
        const auto own = variables.find(variable.first);
        return own == variables.end() || own->second.empty() || own->second == variable.second;
    };
    return std::all_of(announcement.environment.begin(), announcement.environment.end(), is_no_news);
}

}  // namespace banger::cli
