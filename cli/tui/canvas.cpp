// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/canvas.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

/// The parts of a box, in UTF-8 and ASCII.
struct BoxGlyphs {
    const char* across;
    const char* down;
    const char* top_left;
    const char* top_right;
    const char* bottom_left;
    const char* bottom_right;
};
constexpr BoxGlyphs utf8_box{"─", "│", "┌", "┐", "└", "┘"};
constexpr BoxGlyphs ascii_box{"-", "|", "+", "+", "+", "+"};

}  // namespace

Canvas::Canvas(Size size, Charset charset) : size_{size}, charset_{charset}, cells_(size.rows * size.columns) {}

void Canvas::set(Place place, std::string glyph, Ink ink)
{
    if (place.row < size_.rows && place.column < size_.columns) {
        cells_[place.row * size_.columns + place.column] = {std::move(glyph), ink};
    }
}

std::size_t Canvas::put(Place place, std::string_view text, Ink ink, std::size_t columns)
{
    if (place.row >= size_.rows || place.column >= size_.columns) {
        return 0;
    }
    const auto room = std::min(columns, size_.columns - place.column);
    std::size_t used = 0;
    while (!text.empty()) {
        auto drawn = first_drawn(text, charset_);
        if (used + drawn.columns > room) {
            break;
        }
        set({place.row, place.column + used}, std::move(drawn.shown), ink);
        for (std::size_t half = 1; half < drawn.columns; ++half) {
            set({place.row, place.column + used + half}, "", ink);
        }
        used += drawn.columns;
        text.remove_prefix(drawn.bytes);
    }
    return used;
}

void Canvas::put_fitted(Place place, std::string_view text, std::size_t columns, Ink ink, Align align)
{
    if (place.column < size_.columns) {
        const auto room = std::min(columns, size_.columns - place.column);
        put(place, fitted(harmless(text, charset_), room, charset_, align), ink, room);
    }
}

void Canvas::clear(Place place, Size area, Ink ink)
{
    for (std::size_t row = 0; row < area.rows; ++row) {
        for (std::size_t column = 0; column < area.columns; ++column) {
            set({place.row + row, place.column + column}, " ", ink);
        }
    }
    // Half of a wide character to the left of it would be drawn over it, and half of one to the right would be left alone.
    for (auto row = place.row; row < std::min(place.row + area.rows, size_.rows); ++row) {
        const auto right = place.column + area.columns;
        if (place.column > 0 && place.column <= size_.columns &&
            columns_of(at({row, place.column - 1}).glyph, charset_) > 1) {
            set({row, place.column - 1}, " ", at({row, place.column - 1}).ink);
        }
        if (right < size_.columns && at({row, right}).glyph.empty()) {
            set({row, right}, " ", at({row, right}).ink);
        }
    }
}

void Canvas::box(Place place, Size area, std::string_view title)
{
    if (area.rows < 2 || area.columns < 2) {
        return;
    }
    const auto& glyphs = charset_ == Charset::Utf8 ? utf8_box : ascii_box;
    clear(place, area);
    const auto bottom = place.row + area.rows - 1;
    const auto right = place.column + area.columns - 1;
    for (auto column = place.column; column <= right; ++column) {
        set({place.row, column}, glyphs.across, Ink::Dim);
        set({bottom, column}, glyphs.across, Ink::Dim);
    }
    for (auto row = place.row; row <= bottom; ++row) {
        set({row, place.column}, glyphs.down, Ink::Dim);
        set({row, right}, glyphs.down, Ink::Dim);
    }
    set(place, glyphs.top_left, Ink::Dim);
    set({place.row, right}, glyphs.top_right, Ink::Dim);
    set({bottom, place.column}, glyphs.bottom_left, Ink::Dim);
    set({bottom, right}, glyphs.bottom_right, Ink::Dim);
    constexpr std::size_t corners = 4;
    if (area.columns > corners && !title.empty()) {
        const auto words = harmless(" " + std::string{title} + " ", charset_);
        const auto room = area.columns - corners;
        const auto width = std::min(columns_of(words, charset_), room);
        put({place.row, place.column + 2}, fitted(words, width, charset_), Ink::Bold, room);
    }
}

void Canvas::tint(Place place, std::size_t columns, Ink ink)
{
    for (auto column = place.column; column < std::min(size_.columns, place.column + columns); ++column) {
        if (place.row < size_.rows) {
            cells_[place.row * size_.columns + column].ink = ink;
        }
    }
}

std::string Canvas::row_text(std::size_t row) const
{
    std::string text;
    for (std::size_t column = 0; column < size_.columns; ++column) {
        text += at({row, column}).glyph;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

std::string Canvas::text() const
{
    std::string text;
    for (std::size_t row = 0; row < size_.rows; ++row) {
        text += row_text(row) + "\n";
    }
    return text;
}

const Spot* Canvas::spot_at(Place place) const
{
    const auto found = std::find_if(spots_.rbegin(), spots_.rend(), [place](const Spot& spot) {
        return spot.place.row == place.row && place.column >= spot.place.column &&
               place.column < spot.place.column + spot.columns;
    });
    return found == spots_.rend() ? nullptr : &*found;
}

}  // namespace banger::cli::tui
