// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_places.hpp"

#include <fstream>
#include <string>
#include <string_view>

namespace banger::agent {

std::optional<std::filesystem::path> checkout_of(const std::filesystem::path& program)
{
    constexpr std::string_view key = "CMAKE_HOME_DIRECTORY:INTERNAL=";
    std::ifstream cache{program.parent_path().parent_path() / "CMakeCache.txt"};
    for (std::string line; std::getline(cache, line);) {
        if (line.starts_with(key)) {
            std::filesystem::path checkout{line.substr(key.size())};
            return checkout.is_absolute() ? std::optional{checkout} : std::nullopt;
        }
    }
    return std::nullopt;
}

std::filesystem::path installed_bundle_of(const std::filesystem::path& program)
{
    const auto folder = program.parent_path();
    const bool is_helper = folder.filename() == "banger";  // libexec/banger/bangerd
    return (is_helper ? folder.parent_path() : folder).parent_path() / "lib/banger";
}

std::filesystem::path own_program()
{
    std::error_code none;
    return std::filesystem::read_symlink("/proc/self/exe", none);
}

}  // namespace banger::agent
