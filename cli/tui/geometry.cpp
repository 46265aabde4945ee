// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/geometry.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

constexpr std::size_t beside_from = 140;  // columns
constexpr std::size_t below_from = 14;    // rows

constexpr std::size_t least_name = 8;
constexpr std::size_t most_spark = 30;
constexpr std::size_t usual_spark = 6;

struct Offer {
    VmField field;
    std::size_t width;
};
/// In the order in which they get a place.
constexpr std::array offers{
    Offer{VmField::State, 8},  Offer{VmField::Cpu, 5},      Offer{VmField::Memory, 5},   Offer{VmField::Disk, 7},
    Offer{VmField::Image, 12}, Offer{VmField::Network, 7},  Offer{VmField::Address, 15}, Offer{VmField::Up, 7},
    Offer{VmField::Vmm, 11},   Offer{VmField::Storage, 11},
};
constexpr std::size_t telling = 4;  // the first of them, before sparklines

bool has_spark(VmField field) { return field == VmField::Cpu || field == VmField::Memory || field == VmField::Disk; }

void place_detail(Geometry& geometry, const Model& model, Area area)
{
    const bool is_whole = model.detail_is_whole;
    if (is_whole) {
        geometry.detail = area;
        geometry.list_rows = 0;
        geometry.has_titles = false;
        return;
    }
    if (area.size.columns >= beside_from) {
        const auto list = area.size.columns * 11 / 20;
        geometry.detail = Area{{area.place.row, list + 1}, {area.size.rows, area.size.columns - list - 1}};
        geometry.detail_is_beside = true;
        geometry.list_columns = list;
        return;
    }
    if (area.size.rows + 2 >= below_from) {
        const auto below = area.size.rows * 9 / 20;
        geometry.detail = Area{{area.place.row + area.size.rows - below, 0}, {below, area.size.columns}};
        geometry.list_rows -= below;
    }
}

}  // namespace

Geometry geometry_of(const Model& model)
{
    const auto [rows, columns] = model.size;
    Geometry geometry;
    geometry.list_columns = columns;
    auto left = rows;
    if (rows >= 2) {
        geometry.last_row = rows - 1;
        --left;
    }
    if (rows >= 4) {
        geometry.has_panes = true;
        geometry.list.row = 1;
        --left;
    }
    const Area area{geometry.list, {left, columns}};
    geometry.list_rows = left;
    geometry.has_titles = rows >= 6;
    place_detail(geometry, model, area);
    if (geometry.has_titles) {
        ++geometry.list.row;
        --geometry.list_rows;
    }
    return geometry;
}

std::size_t number_width(VmField field) { return field == VmField::Disk ? 7 : 5; }

std::vector<VmColumn> vm_columns(std::size_t width, std::size_t longest_name)
{
    std::vector<VmColumn> columns{{VmField::Name, std::min(width, least_name)}};
    auto left = width - columns.front().width;
    const auto take = [&](std::size_t count) {
        const auto taken = std::min(count, left);
        left -= taken;
        return taken;
    };
    const auto add = [&](const Offer& offer) {
        if (left >= offer.width + column_gap) {
            columns.push_back({offer.field, take(offer.width + column_gap) - column_gap});
        }
    };
    const auto widen = [&](std::size_t most) {
        for (auto& column : columns) {
            if (has_spark(column.field)) {
                const auto wanted = number_width(column.field) + 1 + most;
                column.width += column.width < wanted && left > 1 ? take(wanted - column.width) : 0;
            }
        }
    };
    const auto first = offers.begin() + telling;
    std::for_each(offers.begin(), first, add);
    columns.front().width +=
        take(std::min<std::size_t>(longest_name, 16) - std::min<std::size_t>(longest_name, columns.front().width));
    widen(usual_spark);
    std::for_each(first, offers.end(), add);
    if (longest_name > columns.front().width) {
        columns.front().width += take(longest_name - columns.front().width);
    }
    widen(most_spark);
    return columns;
}

}  // namespace banger::cli::tui
