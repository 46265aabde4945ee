// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/draw.hpp"

#include "cli/view/output.hpp"
#include "common/size.hpp"

#include <algorithm>
#include <cmath>

namespace banger::cli::tui {
namespace {

constexpr double percent_of_a_core = 100;
constexpr double least_disk_top = 1 << 20;  // bytes a second

struct Title {
    std::string_view words;
    Align align{Align::Left};
};

Title title_of(VmField field)
{
    switch (field) {
        case VmField::Name:
            return {"NAME"};
        case VmField::State:
            return {"STATE"};
        case VmField::Cpu:
            return {"CPU", Align::Right};
        case VmField::Memory:
            return {"MEM", Align::Right};
        case VmField::Disk:
            return {"DISK/s", Align::Right};
        case VmField::Image:
            return {"IMAGE"};
        case VmField::Network:
            return {"NETWORK"};
        case VmField::Address:
            return {"ADDRESS"};
        case VmField::Up:
            return {"UP", Align::Right};
        case VmField::Vmm:
            return {"VMM"};
        case VmField::Storage:
            break;
    }
    return {"STORAGE"};
}

std::string whole_percent(const std::optional<double>& percent)
{
    return percent ? std::to_string(std::llround(*percent)) + "%" : "-";
}

std::string rate_text(const std::optional<double>& rate)
{
    return rate ? ByteSize{static_cast<std::uint64_t>(std::max(0.0, *rate))}.to_string() : "-";
}

struct Drawing {
    Canvas* canvas;
    Ink ink;  ///< of what has none of its own
};

/// The sparkline, then the number.
void put_history(const Drawing& drawing, Place place, std::size_t width, std::size_t number, const History& history,
                 double top, const std::string& text)
{
    if (width > number + 1) {
        const auto bars = sparkline(history, top, width - number - 1, drawing.canvas->charset());
        drawing.canvas->put(place, bars, drawing.ink == Ink::Plain ? Ink::Accent : drawing.ink);
    }
    drawing.canvas->put_fitted({place.row, place.column + width - std::min(width, number)}, text,
                               std::min(width, number), drawing.ink, Align::Right);
}

void put_vm_field(const Drawing& drawing, Place place, const VmColumn& column, const VmRow& vm)
{
    auto& canvas = *drawing.canvas;
    const auto put = [&](std::string_view text, Align align = Align::Left) {
        canvas.put_fitted(place, text, column.width, drawing.ink, align);
    };
    const auto number = number_width(column.field);
    switch (column.field) {
        case VmField::Name:
            return put((vm.warning.empty() && vm.reason.empty() ? "" : "!") + vm.name);
        case VmField::State:
            return canvas.put_fitted(place, vm.state, column.width,
                                     drawing.ink == Ink::Plain ? ink_of(vm.state) : drawing.ink);
        case VmField::Cpu:
            return put_history(drawing, place, column.width, number, vm.usage.cpu,
                               percent_of_a_core * std::max(1U, vm.vcpus), whole_percent(vm.usage.cpu.last()));
        case VmField::Memory:
            return put_history(drawing, place, column.width, number, vm.usage.memory, percent_of_a_core,
                               whole_percent(vm.usage.memory.last()));
        case VmField::Disk:
            return put_history(drawing, place, column.width, number, vm.usage.disk, vm.usage.disk.top(least_disk_top),
                               rate_text(vm.usage.disk.last()));
        case VmField::Image:
            return put(vm.image);
        case VmField::Network:
            return put(network_of(vm));
        case VmField::Address:
            return put(vm.address);
        case VmField::Up:
            return put(uptime_text(known_number(vm.usage.last, "uptime_ms")), Align::Right);
        case VmField::Vmm:
            return put(vm.vmm);
        case VmField::Storage:
            return put(vm.storage);
    }
}

/// A list of any pane: titles, then the rows that are on the screen.
struct PlainColumn {
    std::string_view title;
    std::size_t width;
    Align align{Align::Left};
};
constexpr std::size_t the_rest = 0;  // the last column's width

template <typename Row, typename Put>
void put_rows(Canvas& canvas, Sheet<Row>& sheet, const Geometry& geometry, bool is_away, Put&& put)
{
    const auto& rows = sheet.shown();
    const auto top = sheet.top(geometry.list_rows);
    const auto chosen = sheet.chosen_place();
    for (std::size_t line = 0; line < geometry.list_rows && top + line < rows.size(); ++line) {
        const Place place{geometry.list.row + line, geometry.list.column};
        const bool is_chosen = top + line == chosen;
        const auto ink = is_chosen ? Ink::Chosen : is_away ? Ink::Dim : Ink::Plain;
        if (is_chosen) {
            canvas.clear(place, {1, geometry.list_columns}, Ink::Chosen);
        }
        put(Drawing{&canvas, ink}, place, *rows[top + line]);
        canvas.add_spot({Spot::Kind::Row, place, geometry.list_columns, top + line});
    }
}

void put_empty(Canvas& canvas, const Geometry& geometry, std::string_view words)
{
    if (geometry.list_rows > 0) {
        canvas.put_fitted(geometry.list, words, geometry.list_columns, Ink::Dim);
    }
}

template <typename Row, typename Text>
void put_plain(Canvas& canvas, Model& model, Sheet<Row>& sheet, const Geometry& geometry,
               const std::vector<PlainColumn>& columns, std::string_view when_empty, Text&& text_of_field)
{
    const auto width_of_column = [&geometry](const PlainColumn& column, std::size_t at) {
        const auto left = geometry.list_columns - std::min(geometry.list_columns, at);
        return column.width == the_rest ? left : std::min(left, column.width);
    };
    if (geometry.has_titles) {
        std::size_t at = 0;
        for (const auto& column : columns) {
            const auto width = width_of_column(column, at);
            canvas.put_fitted({geometry.list.row - 1, at}, column.title, width, Ink::Dim, column.align);
            at += width + column_gap;
        }
    }
    if (sheet.shown().empty()) {
        put_empty(canvas, geometry, sheet.filter().empty() ? when_empty : "nothing passes the filter");
    }
    put_rows(canvas, sheet, geometry, model.link == Link::Lost,
             [&](const Drawing& drawing, Place place, const Row& row) {
                 auto at = place.column;
                 for (std::size_t index = 0; index < columns.size(); ++index) {
                     const auto width = width_of_column(columns[index], at);
                     const auto [text, ink] = text_of_field(row, index);
                     canvas.put_fitted({place.row, at}, text, width, drawing.ink == Ink::Plain ? ink : drawing.ink,
                                       columns[index].align);
                     at += width + column_gap;
                 }
             });
}

using Words = std::pair<std::string, Ink>;

Words image_words(const ImageRow& image, std::size_t field)
{
    constexpr std::size_t brief = 12;
    constexpr std::size_t day = 10;  // of a date and time
    switch (field) {
        case 0:
            return {image.name, Ink::Plain};
        case 1:
            return {ByteSize{image.size}.to_string(), Ink::Plain};
        case 2:
            return {ByteSize{image.used}.to_string(), Ink::Plain};
        case 3:
            return {image.users.empty() ? "-" : std::to_string(image.users.size()), Ink::Plain};
        case 4:
            return {image.digest.substr(0, brief), Ink::Dim};
        case 5:
            return {date_of(image.created).substr(0, day), Ink::Plain};
        default:
            return {image.origin, Ink::Plain};
    }
}

/// "[####....] 42%", or "" where it isn't known.
std::string progress_bar(double fraction)
{
    if (!(fraction >= 0)) {
        return "";
    }
    constexpr std::size_t width = 8;
    const auto part = std::min(1.0, fraction);
    const auto full = static_cast<std::size_t>(part * static_cast<double>(width));
    return "[" + std::string(full, '#') + std::string(width - full, '.') + "] " +
           std::to_string(std::llround(part * 100)) + "%";
}

Words operation_words(const OperationRow& operation, std::size_t field)
{
    const bool is_running = operation.state == "running";
    switch (field) {
        case 0:
            return {operation.kind, Ink::Plain};
        case 1:
            return {operation.target, Ink::Plain};
        case 2:
            return {operation.state, is_running ? Ink::Busy : ink_of(operation.state)};
        case 3:
            return {is_running ? progress_bar(operation.fraction) : "", Ink::Accent};
        default:
            return {operation.error.empty() ? operation.stage : operation.error,
                    operation.error.empty() ? Ink::Plain : Ink::Bad};
    }
}

Words host_words(const HostRow& row, std::size_t field)
{
    switch (field) {
        case 0:
            return {row.verdict, ink_of(row.verdict)};
        case 1:
            return {row.check, Ink::Plain};
        default:
            return {row.detail, Ink::Plain};
    }
}

}  // namespace

void draw_vms(Canvas& canvas, Model& model, const Geometry& geometry)
{
    std::size_t longest = 0;
    for (const auto* vm : model.vms.shown()) {
        longest = std::max(longest, vm->name.size() + (vm->warning.empty() && vm->reason.empty() ? 0 : 1));
    }
    const auto columns = vm_columns(geometry.list_columns, longest);
    if (geometry.has_titles) {
        std::size_t at = 0;
        for (const auto& column : columns) {
            const auto title = title_of(column.field);
            canvas.put_fitted({geometry.list.row - 1, at}, title.words, column.width, Ink::Dim, title.align);
            at += column.width + column_gap;
        }
    }
    if (model.vms.shown().empty()) {
        put_empty(canvas, geometry,
                  !model.knows_vms             ? "bangerd is asked"
                  : model.vms.filter().empty() ? "no VM yet; n makes one"
                                               : "nothing passes the filter");
    }
    put_rows(canvas, model.vms, geometry, model.link == Link::Lost,
             [&columns](const Drawing& drawing, Place place, const VmRow& vm) {
                 for (const auto& column : columns) {
                     put_vm_field(drawing, place, column, vm);
                     place.column += column.width + column_gap;
                 }
             });
}

void draw_others(Canvas& canvas, Model& model, const Geometry& geometry)
{
    if (model.pane == Pane::Images) {
        put_plain(canvas, model, model.images, geometry,
                  {{"NAME", 20},
                   {"SIZE", 7, Align::Right},
                   {"USED", 7, Align::Right},
                   {"VMS", 4, Align::Right},
                   {"DIGEST", 12},
                   {"MADE", 10},
                   {"ORIGIN", the_rest}},
                  "no image yet; b makes the usual one", image_words);
    } else if (model.pane == Pane::Operations) {
        put_plain(canvas, model, model.operations, geometry,
                  {{"WHAT", 14}, {"OF", 16}, {"STATE", 9}, {"PROGRESS", 15}, {"STAGE", the_rest}},
                  "nothing is being done", operation_words);
    } else {
        put_plain(canvas, model, model.host, geometry, {{"", 7}, {"CHECK", 20}, {"FOUND", the_rest}},
                  model.host_is_looked_at ? "looking at this host" : "r looks at this host", host_words);
    }
}

}  // namespace banger::cli::tui
