// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy/member_name.hpp"

#include <vector>

namespace banger::cli {
namespace {

/// nullopt where one is `..`; empty ones and `.` are left out.
std::optional<std::vector<std::string_view>> components_of(std::string_view path)
{
    std::vector<std::string_view> components;
    while (!path.empty()) {
        const auto slash = path.find('/');
        const auto component = path.substr(0, slash);
        path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
        if (component == "..") {
            return std::nullopt;
        }
        if (!component.empty() && component != ".") {
            components.push_back(component);
        }
    }
    return components;
}

}  // namespace

std::optional<std::string> place_member(std::string_view member, const Renaming& renaming)
{
    if (member.empty() || member.starts_with('/') || member.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    const auto components = components_of(member);
    if (!components) {
        return std::nullopt;
    }
    std::size_t first = 0;
    if (!renaming.root.empty()) {
        if (components->empty() || components->front() != renaming.root) {
            return std::nullopt;
        }
        first = 1;
    }
    std::string placed = renaming.name;
    for (std::size_t index = first; index < components->size(); ++index) {
        placed += (placed.empty() ? "" : "/") + std::string{(*components)[index]};
    }
    return placed.empty() ? "." : placed;
}

}  // namespace banger::cli
