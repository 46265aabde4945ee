// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "agent/core/desktop/desk.hpp"
#include "agent/core/vm/vm_manager.hpp"

namespace banger::agent {

/// What the objects of the desktop work with. All outlive them.
struct DesktopCalls {
    VmManager& vms;
    Desk& desk;
    std::uint64_t& count;  ///< of calls that came
};

/// The icon of banger's, by its name in the user's theme.
inline constexpr auto desktop_icon = "dev.banger.Banger";

/// The hit that a desktop names. Throws NotFound.
inline SearchHit get_result(const VmManager& vms, std::string_view id)
{
    const auto hit = find_result(vms.list(), id);
    if (!hit) {
        throw Error{ErrorCode::NotFound, "that VM is gone; banger vm list shows what there is"};
    }
    return *hit;
}

}  // namespace banger::agent
