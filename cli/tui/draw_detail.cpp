// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/draw.hpp"

#include "common/size.hpp"

#include <algorithm>

namespace banger::cli::tui {
namespace {

struct DetailLine {
    std::string text;
    Ink ink{Ink::Plain};
};
using DetailLines = std::vector<DetailLine>;

/// Adds words in as many lines as they take.
void add_words(DetailLines& lines, std::string_view text, std::size_t width, Charset charset, Ink ink = Ink::Plain)
{
    for (auto& line : wrapped(text, width, charset)) {
        lines.push_back({std::move(line), ink});
    }
}

std::string one_line_of(const VmRow& vm)
{
    std::string line = vm.state;
    const auto add = [&line](const std::string& word) { line += word.empty() ? "" : ", " + word; };
    add(vm.image.empty() ? "" : "image " + vm.image);
    add(std::to_string(vm.vcpus) + " CPU");
    add("memory " + (std::uint64_t{vm.memory_mib} * mib).to_string());
    add("/root " + ByteSize{vm.disk_bytes}.to_string());
    add(vm.network.empty() ? "" : "network " + network_of(vm));
    add(vm.network.empty() && vm.nat ? "NAT" : "");
    add(vm.address);
    add(vm.vmm);
    add(vm.storage);
    return line;
}

std::string used_of(const Numbers& numbers, const std::string& what)
{
    const auto total = known_number(numbers, (what + "_total").c_str());
    const auto available = known_number(numbers, (what + "_available").c_str());
    return total && available && *available <= *total
               ? ByteSize{*total - *available}.to_string() + " of " + ByteSize{*total}.to_string()
               : "";
}

/// What the guest says of itself; empty where it says nothing.
std::string usage_line(const VmRow& vm)
{
    const auto& numbers = vm.usage.last;
    std::string line;
    const auto add = [&line](const std::string& what, const std::string& value) {
        line += value.empty() ? "" : (line.empty() ? "" : ", ") + what + value;
    };
    const auto count = [&numbers](const char* name) {
        const auto known = known_number(numbers, name);
        return known ? std::to_string(*known) : "";
    };
    add("up ", known_number(numbers, "uptime_ms") ? uptime_text(known_number(numbers, "uptime_ms")) : "");
    add("memory ", used_of(numbers, "memory"));
    add("/ ", used_of(numbers, "root"));
    add("/root ", used_of(numbers, "work"));
    add("processes ", count("processes"));
    return line;
}

DetailLines vm_lines(const Model& model, const VmRow& vm, std::size_t width, Charset charset)
{
    DetailLines lines;
    add_words(lines, vm.reason, width, charset, Ink::Bad);
    add_words(lines, vm.warning, width, charset, Ink::Busy);
    add_words(lines, one_line_of(vm), width, charset);
    add_words(lines, usage_line(vm), width, charset, Ink::Dim);
    if (model.detail_is_whole && model.detail.id == vm.id) {
        for (const auto& [key, value] : model.detail.facts) {
            add_words(lines, std::string{key}.append(": ").append(value), width, charset, Ink::Dim);
        }
    }
    return lines;
}

/// The end of the log, as far as there is room; a long line is cut, as what follows it is more telling.
void put_log(Canvas& canvas, const Detail& detail, const Area& area)
{
    if (area.size.rows == 0) {
        return;
    }
    const auto& lines = detail.log.lines();
    if (lines.empty()) {
        const auto& why = detail.log_problem;
        canvas.put_fitted(area.place, why.empty() ? "nothing in the log" : why, area.size.columns, Ink::Dim);
        return;
    }
    const auto count = lines.size() - (lines.back().empty() ? 1 : 0);
    const auto shown = std::min(area.size.rows, count);
    for (std::size_t row = 0; row < shown; ++row) {
        canvas.put_fitted({area.place.row + row, area.place.column}, lines[count - shown + row], area.size.columns);
    }
}

void put_title(Canvas& canvas, const Area& area, const std::string& words)
{
    const auto* const dash = canvas.charset() == Charset::Utf8 ? "─" : "-";
    for (std::size_t column = 0; column < area.size.columns; ++column) {
        canvas.put({area.place.row, area.place.column + column}, dash, Ink::Dim);
    }
    const auto shown = harmless(words.empty() ? "" : " " + words + " ", canvas.charset());
    if (area.size.columns > 4) {
        canvas.put(
            {area.place.row, area.place.column + 2},
            fitted(shown, std::min(columns_of(shown, canvas.charset()), area.size.columns - 4), canvas.charset()),
            Ink::Bold);
    }
}

void put_lines(Canvas& canvas, const DetailLines& lines, Place place, std::size_t rows)
{
    for (std::size_t row = 0; row < std::min(rows, lines.size()); ++row) {
        canvas.put({place.row + row, place.column}, lines[row].text, lines[row].ink);
    }
}

Area below(const Area& area, std::size_t rows)
{
    const auto taken = std::min(rows, area.size.rows);
    return {{area.place.row + taken, area.place.column}, {area.size.rows - taken, area.size.columns}};
}

void draw_vm_detail(Canvas& canvas, Model& model, const Area& area)
{
    const auto* vm = model.vms.chosen();
    put_title(canvas, area, vm == nullptr ? "" : vm->name);
    if (vm == nullptr) {
        return;
    }
    const auto inner = below(area, 1);
    const auto lines = vm_lines(model, *vm, area.size.columns, canvas.charset());
    const auto facts = std::min(lines.size(), inner.size.rows - inner.size.rows / 2);  // half is the log's
    put_lines(canvas, lines, inner.place, facts);
    const auto log = below(inner, facts);
    if (log.size.rows > 1) {
        put_title(canvas, log, model.detail.log_name + " log");
        put_log(canvas, model.detail, below(log, 1));
    }
}

DetailLines image_lines(const ImageRow& image, std::size_t width, Charset charset)
{
    DetailLines lines;
    add_words(lines, "digest " + image.digest, width, charset);
    add_words(lines, "made of " + image.origin, width, charset);
    std::string users;
    for (const auto& user : image.users) {
        users += (users.empty() ? "" : ", ") + user;
    }
    add_words(lines, users.empty() ? "no VM uses it" : "used by " + users, width, charset);
    return lines;
}

DetailLines operation_lines(const OperationRow& operation, std::size_t width, Charset charset)
{
    DetailLines lines;
    add_words(lines, operation.state, width, charset, ink_of(operation.state == "running" ? "busy" : operation.state));
    add_words(lines, operation.stage, width, charset);
    add_words(lines, operation.error, width, charset, Ink::Bad);
    return lines;
}

DetailLines host_lines(const Model& model, const HostRow& row, std::size_t width, Charset charset)
{
    DetailLines lines;
    add_words(lines, row.verdict + ": " + row.detail, width, charset, ink_of(row.verdict));
    if (!row.mend.empty()) {
        add_words(lines, "mended by: " + row.mend, width, charset, Ink::Bold);
    }
    for (const auto& warning : model.about.warnings) {
        add_words(lines, warning, width, charset, Ink::Busy);
    }
    return lines;
}

}  // namespace

void draw_detail(Canvas& canvas, Model& model, const Area& area)
{
    if (area.size.rows == 0 || area.size.columns == 0) {
        return;
    }
    if (model.pane == Pane::Vms) {
        draw_vm_detail(canvas, model, area);
        return;
    }
    const auto width = area.size.columns;
    std::string title;
    DetailLines lines;
    if (model.pane == Pane::Images) {
        if (const auto* image = model.images.chosen(); image != nullptr) {
            title = image->name.empty() ? "no name" : image->name;
            lines = image_lines(*image, width, canvas.charset());
        }
    } else if (model.pane == Pane::Operations) {
        if (const auto* operation = model.operations.chosen(); operation != nullptr) {
            title = operation->kind + " " + operation->target;
            lines = operation_lines(*operation, width, canvas.charset());
        }
    } else if (const auto* row = model.host.chosen(); row != nullptr) {
        title = row->check;
        lines = host_lines(model, *row, width, canvas.charset());
    }
    put_title(canvas, area, title);
    put_lines(canvas, lines, below(area, 1).place, area.size.rows - 1);
}

}  // namespace banger::cli::tui
