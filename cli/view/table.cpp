// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/table.hpp"

#include "cli/view/escape.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

namespace banger::cli {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least_width = 8;  // of a column that is cut

std::string cut(const std::string& text, std::size_t width)
{
    if (width_of(text) <= width) {
        return text;
    }
    std::size_t characters = 0;
    std::size_t end = 0;
    while (end < text.size()) {
        const bool starts_one = (static_cast<unsigned char>(text[end]) & 0xC0U) != 0x80U;
        if (starts_one && ++characters == width) {
            break;
        }
        ++end;
    }
    return text.substr(0, end) + "…";
}

/// Which column gives way when lines are too long.
std::optional<std::size_t> widest_to_cut(const std::vector<Column>& columns, const std::vector<std::size_t>& widths)
{
    std::optional<std::size_t> widest;
    for (std::size_t index = 1; index < columns.size(); ++index) {
        if (columns[index].align == Align::Left && (!widest || widths[index] > widths[*widest])) {
            widest = index;
        }
    }
    return widest;
}

std::string line_of(const std::vector<std::string>& cells, const std::vector<Column>& columns,
                    const std::vector<std::size_t>& widths)
{
    std::string line;
    for (std::size_t index = 0; index < cells.size(); ++index) {
        const auto text = cut(cells[index], widths[index]);
        const std::string padding(widths[index] - std::min(widths[index], width_of(text)), ' ');
        line += index == 0 ? "" : std::string(gap, ' ');
        line += columns[index].align == Align::Right ? padding + text : text + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
}

}  // namespace

void Table::add(std::vector<std::string> cells)
{
    for (auto& cell : cells) {
        cell = escaped(cell);
    }
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::to_string(std::size_t width) const
{
    std::vector<std::string> titles;
    std::vector<std::size_t> widths;
    for (const auto& column : columns_) {
        titles.push_back(column.title);
        widths.push_back(column.title.size());
    }
    for (const auto& row : rows_) {
        for (std::size_t index = 0; index < row.size(); ++index) {
            widths[index] = std::max(widths[index], width_of(row[index]));
        }
    }
    const auto total = std::accumulate(widths.begin(), widths.end(), gap * (widths.size() - 1));
    const auto victim = widest_to_cut(columns_, widths);
    if (width != 0 && total > width && victim) {
        const auto excess = total - width;
        widths[*victim] = std::max(
            {least_width, columns_[*victim].title.size(), widths[*victim] - std::min(widths[*victim], excess)});
    }
    std::string text = line_of(titles, columns_, widths);
    for (const auto& row : rows_) {
        text += line_of(row, columns_, widths);
    }
    return text;
}

}  // namespace banger::cli
