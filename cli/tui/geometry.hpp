// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/canvas.hpp"
#include "cli/tui/model.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace banger::cli::tui {

struct Area {
    Place place;
    Size size;
};

/// Where things are on a screen of this size. What there is no room for isn't there: first the detail goes, then titles, names of panes and the
/// last line.
struct Geometry {
    bool has_panes{false};   ///< the first row has their names
    bool has_titles{false};  ///< of the columns, above the list
    Place list;              ///< its first row
    std::size_t list_rows{0};
    std::size_t list_columns{0};
    std::optional<Area> detail{};
    bool detail_is_beside{false};  ///< and not below
    std::optional<std::size_t> last_row{};
};
Geometry geometry_of(const Model& model);

enum class VmField { Name, State, Cpu, Memory, Disk, Image, Network, Address, Up, Vmm, Storage };

/// A column of the VM list. Cpu, Memory and Disk have a sparkline as wide as is left of a number.
struct VmColumn {
    VmField field;
    std::size_t width;
    bool operator==(const VmColumn&) const noexcept = default;
};
inline constexpr std::size_t column_gap = 1;

/// As many as fit, the most telling first; what is left over goes to the name, up to the longest one, and then to the sparklines.
std::vector<VmColumn> vm_columns(std::size_t width, std::size_t longest_name);
/// What the number of a column with a sparkline takes.
std::size_t number_width(VmField field);

}  // namespace banger::cli::tui
