// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/banger_program.hpp"

#include <filesystem>
#include <system_error>

namespace banger::agent {

std::string banger_program()
{
    std::error_code none;
    const auto here = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
    for (const auto& candidate : {here / "banger", here / "../../bin/banger"}) {
        if (std::filesystem::exists(candidate, none)) {
            return candidate.lexically_normal().string();
        }
    }
    return "banger";
}

}  // namespace banger::agent
