// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/draw.hpp"

#include "cli/tui/keys.hpp"

#include <algorithm>
#include <array>

namespace banger::cli::tui {
namespace {

/// A box in the middle for content of this size, or as much of it as there is room for; gives the area inside.
Area put_box(Canvas& canvas, Size content, std::string_view title)
{
    const auto [rows, columns] = canvas.size();
    const Size outer{std::min(rows, content.rows + 2), std::min(columns, content.columns + 4)};
    const Place place{(rows - outer.rows) / 2, (columns - outer.columns) / 2};
    if (outer.rows < 3 || outer.columns < 5) {  // no room for a frame
        canvas.clear({0, 0}, canvas.size());
        return {{0, 0}, canvas.size()};
    }
    canvas.box(place, outer, title);
    return {{place.row + 1, place.column + 2}, {outer.rows - 2, outer.columns - 4}};
}

struct HelpLine {
    std::string key;
    std::string meaning;
};

std::vector<HelpLine> help_lines(Pane pane)
{
    std::vector<HelpLine> lines;
    for (const auto& info : keys_of(pane)) {
        lines.push_back({std::string{info.key}, std::string{info.meaning}});
    }
    lines.push_back({"", ""});
    if (pane == Pane::Vms) {
        lines.push_back({"l", "the console's log, or the VMM's"});
        lines.push_back({"o", "another order"});
    }
    for (const auto& line : std::initializer_list<HelpLine>{{"Enter", "the detail alone, and back"},
                                                            {"/", "filter; Enter keeps it, Esc drops it"},
                                                            {"Tab 1-4", "another pane"},
                                                            {"j k arrows", "another row; PgUp, PgDn, Home, End"},
                                                            {"q", "quit; VMs go on"}}) {
        lines.push_back(line);
    }
    return lines;
}

void draw_help(Canvas& canvas, Pane pane)
{
    const auto lines = help_lines(pane);
    constexpr std::size_t key_width = 11;
    std::size_t widest = 0;
    for (const auto& line : lines) {
        widest = std::max(widest, line.meaning.size());
    }
    const auto inside =
        put_box(canvas, {lines.size(), key_width + widest}, pane_names.at(static_cast<std::size_t>(pane)));
    for (std::size_t row = 0; row < std::min(lines.size(), inside.size.rows); ++row) {
        const Place place{inside.place.row + row, inside.place.column};
        canvas.put_fitted(place, lines[row].key, std::min(key_width, inside.size.columns), Ink::Bold);
        if (inside.size.columns > key_width) {
            canvas.put_fitted({place.row, place.column + key_width}, lines[row].meaning,
                              inside.size.columns - key_width);
        }
    }
}

void draw_question(Canvas& canvas, const Question& question)
{
    constexpr std::size_t widest = 60;
    const auto width = std::min(widest, canvas.size().columns > 4 ? canvas.size().columns - 4 : canvas.size().columns);
    auto lines = wrapped(question.text, width, canvas.charset());
    const auto text_rows = lines.size();
    const auto inside = put_box(canvas, {text_rows + 1, width}, "");
    // The answer's row is always there, however little room there is.
    const auto shown = std::min(text_rows, inside.size.rows > 0 ? inside.size.rows - 1 : 0);
    for (std::size_t row = 0; row < shown; ++row) {
        canvas.put({inside.place.row + row, inside.place.column}, lines[row], Ink::Bold);
    }
    canvas.put_fitted({inside.place.row + shown, inside.place.column}, "y yes   n no", inside.size.columns,
                      Ink::Accent);
}

void put_field(Canvas& canvas, const Field& field, Place place, std::size_t width, bool is_chosen)
{
    constexpr std::size_t label = 20;
    const auto label_width = std::min(label, width / 2);
    canvas.put_fitted(place, field.name, label_width, is_chosen ? Ink::Bold : Ink::Plain);
    const Place at{place.row, place.column + label_width};
    const auto room = width - label_width;
    const auto& value = field.value.text();
    if (value.empty()) {
        canvas.put_fitted(at, field.choices.empty() ? field.hint : "< " + field.hint + " >", room, Ink::Dim);
    } else {
        // The end is what is being typed.
        auto shown = harmless(field.choices.empty() ? value : "< " + value + " >", canvas.charset());
        while (columns_of(shown, canvas.charset()) + 1 > room && !shown.empty()) {
            shown.erase(0, first_drawn(shown, canvas.charset()).bytes);
        }
        canvas.put(at, shown, Ink::Plain, room);
    }
    if (is_chosen) {
        canvas.tint(at, room, Ink::Chosen);
        const auto used = field.choices.empty() ? columns_of(harmless(value, canvas.charset()), canvas.charset()) : 0;
        canvas.cursor = Place{at.row, at.column + std::min(used, room > 0 ? room - 1 : 0)};
    }
}

void draw_form(Canvas& canvas, const Form& form)
{
    constexpr std::size_t widest = 64;
    const auto width = std::min(widest, canvas.size().columns > 4 ? canvas.size().columns - 4 : canvas.size().columns);
    const auto problem = wrapped(form.problem(), width, canvas.charset());
    const auto& fields = form.fields();
    const auto foot = std::max<std::size_t>(1, problem.size());
    const auto inside = put_box(canvas, {fields.size() + 1 + foot, width}, form.title());
    const auto foot_rows = std::min(foot, inside.size.rows > 1 ? inside.size.rows - 1 : 0);
    const auto field_rows = std::min(fields.size(), inside.size.rows - foot_rows);
    const auto first = form.chosen() >= field_rows ? form.chosen() + 1 - field_rows : 0;
    for (std::size_t row = 0; row < field_rows; ++row) {
        put_field(canvas, fields[first + row], {inside.place.row + row, inside.place.column}, inside.size.columns,
                  first + row == form.chosen());
    }
    const auto foot_at = inside.place.row + inside.size.rows - foot_rows;
    if (problem.empty() && foot_rows > 0) {
        canvas.put_fitted({foot_at, inside.place.column},
                          form.waits() ? "bangerd is asked" : "Enter does it   Esc drops it   Tab next   < > choose",
                          inside.size.columns, form.waits() ? Ink::Busy : Ink::Dim);
    }
    for (std::size_t row = 0; row < std::min(foot_rows, problem.size()); ++row) {
        canvas.put({foot_at + row, inside.place.column}, problem[row], Ink::Bad);
    }
}

struct PortColumn {
    std::string_view title;
    std::size_t width;
    Align align;
};
constexpr std::array port_columns{PortColumn{"PORT", 5, Align::Right}, PortColumn{"PROTO", 5, Align::Left},
                                  PortColumn{"LISTENS AT", 15, Align::Left}, PortColumn{"PROGRAM", 12, Align::Left},
                                  PortColumn{"REACHED AT", 26, Align::Left}};

std::array<std::string, port_columns.size()> words_of(const PortLine& line)
{
    const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
    return {std::to_string(line.port), line.protocol, line.listens_at.empty() ? "nothing does" : line.listens_at,
            shown(line.program), shown(line.reached_at)};
}

template <typename WordOf>
void put_port_fields(Canvas& canvas, Place place, std::size_t width, Ink ink, WordOf&& word_of)
{
    std::size_t at = 0;
    for (std::size_t index = 0; index < port_columns.size() && at < width; ++index) {
        const auto& column = port_columns.at(index);
        canvas.put_fitted({place.row, place.column + at}, word_of(index), std::min(column.width, width - at), ink,
                          column.align);
        at += column.width + 1;
    }
}

/// Title, lines, and as the last row what can be done or why there is less.
void draw_ports(Canvas& canvas, const PortsView& ports)
{
    constexpr std::size_t widest = 67;
    constexpr std::size_t most_lines = 14;
    const auto width = std::min(widest, canvas.size().columns > 4 ? canvas.size().columns - 4 : canvas.size().columns);
    const auto wanted = std::clamp<std::size_t>(ports.lines.size(), 1, most_lines);
    const auto inside = put_box(canvas, {wanted + 2, width}, "ports of " + ports.name);
    if (inside.size.rows == 0) {
        return;
    }
    const Place top = inside.place;
    const auto last = inside.size.rows - 1;
    if (last > 0) {
        put_port_fields(canvas, top, inside.size.columns, Ink::Dim,
                        [](std::size_t index) { return port_columns.at(index).title; });
    }
    const auto rows = last > 0 ? last - 1 : 0;
    const auto first = rows > 0 && ports.chosen >= rows ? ports.chosen + 1 - rows : 0;
    for (std::size_t row = 0; row < rows && first + row < ports.lines.size(); ++row) {
        const Place place{top.row + 1 + row, top.column};
        const auto words = words_of(ports.lines[first + row]);
        const auto ink = first + row == ports.chosen ? Ink::Chosen : Ink::Plain;
        canvas.clear(place, {1, inside.size.columns}, ink);
        put_port_fields(canvas, place, inside.size.columns, ink,
                        [&words](std::size_t index) { return words.at(index); });
    }
    if (ports.lines.empty() && rows > 0) {
        canvas.put_fitted({top.row + 1, top.column}, ports.waits ? "" : "nothing listens, and nothing leads there",
                          inside.size.columns, Ink::Dim);
    }
    const bool is_less = !ports.waits && !ports.problem.empty();
    canvas.put_fitted({top.row + last, top.column},
                      ports.waits ? "bangerd is asked"
                      : is_less   ? ports.problem
                                  : "n forward one   d end it   r look again   Esc back",
                      inside.size.columns,
                      ports.waits ? Ink::Busy
                      : is_less   ? Ink::Bad
                                  : Ink::Dim);
}

}  // namespace

void draw_covers(Canvas& canvas, const Model& model)
{
    if (canvas.size().rows == 0 || canvas.size().columns == 0) {
        return;
    }
    if (model.shows_help) {
        canvas.cursor.reset();
        draw_help(canvas, model.pane);
    } else if (model.question) {
        canvas.cursor.reset();
        draw_question(canvas, *model.question);
    } else if (model.form) {
        draw_form(canvas, *model.form);
    } else if (model.ports) {
        canvas.cursor.reset();
        draw_ports(canvas, *model.ports);
    }
}

}  // namespace banger::cli::tui
