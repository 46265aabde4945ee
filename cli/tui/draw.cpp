// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/draw.hpp"

#include "cli/tui/keys.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

std::size_t count_in(Model& model, Pane pane)
{
    switch (pane) {
        case Pane::Vms:
            return model.vms.size();
        case Pane::Images:
            return model.images.size();
        case Pane::Operations:
            return model.operations.size();
        case Pane::Host:
            break;
    }
    return 0;
}

/// "1 VMs 12  2 Images 3  …", and on the right bangerd's state.
void draw_panes(Canvas& canvas, Model& model)
{
    const auto width = canvas.size().columns;
    const auto* const away = "bangerd is away";
    std::string about = model.link == Link::Lost      ? away
                        : model.about.version.empty() ? ""
                                                      : "banger " + model.about.version;
    if (!model.vms.filter().empty() && model.pane == Pane::Vms && model.link == Link::Up) {
        about = std::to_string(model.vms.shown().size()) + " of " + std::to_string(model.vms.size());
    }
    const bool is_narrow = width < 60;
    std::size_t column = 0;
    for (std::size_t index = 0; index < pane_names.size(); ++index) {
        const auto count = count_in(model, static_cast<Pane>(index));
        auto words = (is_narrow ? "" : std::to_string(index + 1) + " ") + std::string{pane_names.at(index)};
        words += count > 0 ? " " + std::to_string(count) : "";
        const bool is_front = index == static_cast<std::size_t>(model.pane);
        const auto used = canvas.put({0, column}, " " + words + " ", is_front ? Ink::Chosen : Ink::Bold);
        canvas.add_spot({Spot::Kind::Pane, {0, column}, used, index});
        column += used + (is_narrow ? 0 : 1);
    }
    const auto right = columns_of(about, canvas.charset());
    if (column + right < width) {
        canvas.put({0, width - right}, about, model.link == Link::Lost ? Ink::Bad : Ink::Dim);
    }
}

std::string hints_of(const Model& model)
{
    std::string hints;
    for (const auto& info : keys_of(model.pane)) {
        hints += std::string{info.key} + " " + std::string{info.word} + "  ";
    }
    return "? help  q quit  / filter  " + hints;
}

/// What is being typed, was said, or can be pressed.
void draw_last_row(Canvas& canvas, Model& model, std::size_t row)
{
    const auto width = canvas.size().columns;
    const Place place{row, 0};
    if (model.typed_filter) {
        const auto shown = harmless("/" + model.typed_filter->text(), canvas.charset());
        const auto used = canvas.put(place, shown, Ink::Accent);
        canvas.cursor = Place{row, std::min(used, width > 0 ? width - 1 : 0)};
        return;
    }
    if (!model.notice.text.empty()) {
        canvas.put_fitted(place, model.notice.text, width, model.notice.ink);
        return;
    }
    if (model.link == Link::Lost) {
        const auto why = model.link_problem.empty() ? "" : ": " + model.link_problem;
        canvas.put_fitted(place, "bangerd is away, it is looked for" + why, width, Ink::Bad);
        return;
    }
    const auto filter = with_sheet(model, [](auto& sheet) { return sheet.filter(); });
    canvas.put_fitted(place, filter.empty() ? hints_of(model) : "/" + filter + "  Esc shows all again", width,
                      filter.empty() ? Ink::Dim : Ink::Accent);
}

}  // namespace

Ink ink_of(std::string_view state)
{
    if (state == "running" || state == "done" || state == "ok") {
        return Ink::Good;
    }
    if (state == "failed" || state == "missing") {
        return Ink::Bad;
    }
    if (state == "stopped" || state == "cancelled") {
        return Ink::Dim;
    }
    return Ink::Busy;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width, Charset charset)
{
    std::vector<std::string> lines;
    std::string line;
    std::size_t used = 0;
    const auto end_line = [&] {
        lines.push_back(std::move(line));
        line.clear();
        used = 0;
    };
    const auto whole = harmless(text, charset);
    for (std::size_t at = 0; at < whole.size() && width > 0;) {
        const auto blank = std::min(whole.find(' ', at), whole.size());
        std::string_view word{whole.data() + at, blank - at};
        const auto columns = columns_of(word, charset);
        if (used > 0 && used + 1 + columns > width) {
            end_line();
        }
        line += used > 0 ? " " : "";
        used += used > 0 ? 1 : 0;
        while (!word.empty()) {
            const auto drawn = first_drawn(word, charset);
            if (used + drawn.columns > width && used > 0) {
                end_line();
            }
            line += drawn.shown;
            used += drawn.columns;
            word.remove_prefix(drawn.bytes);
        }
        at = blank + 1;
    }
    if (!line.empty()) {
        end_line();
    }
    return lines;
}

Canvas draw(Model& model, Charset charset)
{
    Canvas canvas{model.size, charset};
    const auto geometry = geometry_of(model);
    if (geometry.has_panes) {
        draw_panes(canvas, model);
    }
    if (model.pane == Pane::Vms) {
        draw_vms(canvas, model, geometry);
    } else {
        draw_others(canvas, model, geometry);
    }
    if (geometry.detail) {
        draw_detail(canvas, model, *geometry.detail);
    }
    if (geometry.last_row) {
        draw_last_row(canvas, model, *geometry.last_row);
    }
    draw_covers(canvas, model);
    return canvas;
}

}  // namespace banger::cli::tui
