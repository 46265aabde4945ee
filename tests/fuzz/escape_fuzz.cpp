// SPDX-License-Identifier: GPL-2.0-or-later
// What a guest wrote, on its way to a terminal.
#include "cli/view/escape.hpp"
#include "common/text.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check_harmless(std::string_view shown, cli::KeepLines keep)
{
    demand(to_utf8(shown) == shown, "what is shown is UTF-8");
    for (std::size_t i = 0; i < shown.size(); ++i) {
        const auto byte = static_cast<unsigned char>(shown[i]);
        const bool line = keep == cli::KeepLines::Yes && (byte == '\n' || byte == '\t');
        demand((byte >= 0x20 && byte != 0x7f) || line, "no control character is shown");
        const auto next = i + 1 < shown.size() ? static_cast<unsigned char>(shown[i + 1]) : 0U;
        demand(byte != 0xc2 || next >= 0xa0, "no C1 control character is shown");
    }
    for (const std::string_view turn : {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e",
                                        "\u2066", "\u2067", "\u2068", "\u2069", "\u2028", "\u2029"}) {
        demand(shown.find(turn) == std::string_view::npos, "nothing turns the writing direction");
    }
}

std::string in_pieces(std::string_view text, std::size_t piece)
{
    cli::StreamEscaper escaper;
    std::string shown;
    while (!text.empty()) {
        const auto part = text.substr(0, piece);
        shown += escaper.feed(part);
        text.remove_prefix(part.size());
    }
    return shown + escaper.finish();
}

std::string without_returns(std::string_view text)
{
    std::string lines;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') {
            lines += text[i];
        }
    }
    return lines;
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    using banger::cli::KeepLines;
    const auto text = text_of({data, size});
    const auto plain = banger::cli::escaped(text);
    check_harmless(plain, KeepLines::No);
    demand(banger::cli::escaped(plain) == plain, "what was escaped needs no more of it");
    demand(banger::cli::width_of(plain) <= plain.size(), "a character has a byte at least");
    const auto whole = in_pieces(text, size + 1);
    check_harmless(whole, KeepLines::Yes);
    demand(whole == banger::cli::escaped(without_returns(text), KeepLines::Yes), "a stream shows what a text does");
    for (const std::size_t piece : std::initializer_list<std::size_t>{1, 2, 3, 7}) {
        demand(in_pieces(text, piece) == whole, "where a stream is cut makes no difference");
    }
    return 0;
}
