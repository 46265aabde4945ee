// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/text.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli::tui {

struct Size {
    std::size_t rows{0};
    std::size_t columns{0};
    bool operator==(const Size&) const noexcept = default;
};

struct Place {
    std::size_t row{0};
    std::size_t column{0};
    bool operator==(const Place&) const noexcept = default;
};

/// What a text is, which the terminal's colours then say; each says it in words, too, as colours may be off or not seen.
enum class Ink : std::uint8_t { Plain, Dim, Bold, Good, Busy, Bad, Accent, Chosen };

/// One column of the screen.
struct Cell {
    std::string glyph{" "};  ///< "": the second half of a wide character
    Ink ink{Ink::Plain};
    bool operator==(const Cell&) const noexcept = default;
};

/// What a click means.
struct Spot {
    enum class Kind { Pane, Row };
    Kind kind{Kind::Row};
    Place place;
    std::size_t columns{0};
    std::size_t index{0};  ///< of the pane, or of the row among all that pass the filter
};

/// A whole screen, drawn without a terminal. What is put beyond its edges isn't there.
class Canvas {
public:
    Canvas(Size size, Charset charset);

    Size size() const noexcept { return size_; }
    Charset charset() const noexcept { return charset_; }
    /// A harmless text, cut at `columns` from its place; gives the columns that it took.
    std::size_t put(Place place, std::string_view text, Ink ink = Ink::Plain, std::size_t columns = SIZE_MAX);
    /// The text is made harmless, and takes exactly `columns`.
    void put_fitted(Place place, std::string_view text, std::size_t columns, Ink ink = Ink::Plain,
                    Align align = Align::Left);
    /// Blanks.
    void clear(Place place, Size area, Ink ink = Ink::Plain);
    /// A frame of lines around an area that is cleared, with a title.
    void box(Place place, Size area, std::string_view title);
    void tint(Place place, std::size_t columns, Ink ink);

    const Cell& at(Place place) const { return cells_[place.row * size_.columns + place.column]; }
    /// Without the blanks at its end.
    std::string row_text(std::size_t row) const;
    /// All rows, each with a newline.
    std::string text() const;

    void add_spot(Spot spot) { spots_.push_back(spot); }
    const Spot* spot_at(Place place) const;
    /// Where the cursor is shown; none: nowhere.
    std::optional<Place> cursor;

private:
    void set(Place place, std::string glyph, Ink ink);

    Size size_;
    Charset charset_;
    std::vector<Cell> cells_;
    std::vector<Spot> spots_;
};

}  // namespace banger::cli::tui
