// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/ports.hpp"

#include <algorithm>

namespace banger::cli::tui {

void PortsView::move(std::ptrdiff_t by)
{
    const auto last = static_cast<std::ptrdiff_t>(lines.size()) - 1;
    const auto wanted = static_cast<std::ptrdiff_t>(chosen) + by;
    chosen = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, std::min(last, wanted)));
}

void PortsView::fill(const std::vector<PortRow>& rows, std::string why_less)
{
    lines.clear();
    for (const auto& row : rows) {
        PortLine line{row.port, row.protocol, row.address, row.program, row.direct, std::nullopt};
        if (!row.direct.empty() || row.forwards.empty()) {
            lines.push_back(line);
        }
        for (const auto& forward : row.forwards) {
            line.reached_at = place_of(forward.address, forward.port);
            line.forward = forward;
            lines.push_back(line);
        }
    }
    problem = std::move(why_less);
    waits = false;
    move(0);
}

}  // namespace banger::cli::tui
