// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest wrote on its console, on its way to the TUI's screen.
#include <clocale>

#include "cli/tui/console_text.hpp"
#include "cli/tui/text.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

using cli::tui::Charset;
using cli::tui::ConsoleText;

std::deque<std::string> lines_of(std::string_view text, std::size_t piece)
{
    ConsoleText console{20};
    while (!text.empty()) {
        const auto part = text.substr(0, piece);
        console.feed(part);
        text.remove_prefix(part.size());
    }
    return console.lines();
}

void check_line(const std::string& line, Charset charset)
{
    for (const char c : line) {
        const auto byte = static_cast<unsigned char>(c);
        demand(byte >= 0x20U && byte != 0x7FU, "no control character is in a line");
    }
    const auto shown = cli::tui::harmless(line, charset);
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto byte = static_cast<unsigned char>(shown[i]);
        const auto next = i + 1 < shown.size() ? static_cast<unsigned char>(shown[i + 1]) : 0U;
        demand(byte >= 0x20U && byte != 0x7FU && (byte != 0xC2U || next >= 0xA0U), "nothing drives the terminal");
        demand(charset == Charset::Utf8 || byte < 0x80U, "an ASCII terminal gets ASCII");
    }
    demand(cli::tui::harmless(shown, charset) == shown, "what is harmless stays as it is");
    for (const std::size_t width : {0U, 1U, 7U, 80U}) {
        const auto fitted = cli::tui::fitted(shown, width, charset);
        demand(cli::tui::columns_of(fitted, charset) == width, "a fitted text has its width");
    }
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    static const bool has_utf8 = std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
    const auto text = text_of({data, size});
    const auto whole = lines_of(text, size + 1);
    demand(whole.size() <= 20, "no more lines are kept");
    for (const auto& line : whole) {
        demand(line.size() <= 4096, "a line has an end");
        check_line(line, Charset::Ascii);
        if (has_utf8) {
            check_line(line, Charset::Utf8);
        }
    }
    for (const std::size_t piece : std::initializer_list<std::size_t>{1, 2, 3, 7}) {
        demand(lines_of(text, piece) == whole, "where a console is cut makes no difference");
    }
    return 0;
}
