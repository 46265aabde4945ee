// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/view/port_rows.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli::tui {

/// One way to a port of a guest, or a port without one.
struct PortLine {
    std::uint16_t port{0};
    std::string protocol;
    std::string listens_at;
    std::string program;
    std::string reached_at;
    std::optional<OpenForward> forward;  ///< which that way is
};

/// The ports of a VM, while they are looked at. bangerd has no signal for them: they are asked for, when the view opens and after each change.
struct PortsView {
    std::string id;
    std::string name;
    std::vector<PortLine> lines{};
    std::size_t chosen{0};
    bool waits{true};       ///< for bangerd
    std::string problem{};  ///< why there is less to see

    /// nullptr: there is none.
    const PortLine* line() const { return chosen < lines.size() ? &lines[chosen] : nullptr; }
    void move(std::ptrdiff_t by);
    /// The answer to what was asked. The choice stays in its place.
    void fill(const std::vector<PortRow>& rows, std::string why_less);
};

}  // namespace banger::cli::tui
