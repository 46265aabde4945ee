// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace banger::cli {

enum class Align { Left, Right };

struct Column {
    std::string title;
    Align align{Align::Left};
};

/// Rows of text under titles, columns as wide as their widest cell.
class Table {
public:
    explicit Table(std::vector<Column> columns) : columns_{std::move(columns)} {}
    /// As many cells as there are columns; escaped here.
    void add(std::vector<std::string> cells);
    /// `width`: of the terminal; the widest left-aligned column but the first is cut with `…` where lines would be longer. 0: no limit.
    std::string to_string(std::size_t width) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace banger::cli
