// SPDX-License-Identifier: GPL-2.0-or-later
// Small types that are made of text: sizes, names, ids, addresses, text itself.
#include <arpa/inet.h>

#include <array>
#include <cmath>
#include <vector>

#include "common/ids.hpp"
#include "common/nearest.hpp"
#include "common/size.hpp"
#include "common/text.hpp"
#include "guest/setup/rtnetlink.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

constexpr std::string_view label_letters = "abcdefghijklmnopqrstuvwxyz0123456789-";

template <typename Type>
void check_id(std::string_view text, std::string_view letters, std::size_t longest)
{
    taken(
        [&] {
            const auto id = Type::parse(text);
            demand(id.str() == text && Type::parse(id.str()) == id, "an id is the text it was read from");
            demand(!text.empty() && text.size() <= longest, "an id is no longer than it may be");
            demand(text.find_first_not_of(letters) == std::string_view::npos, "an id has no other letters");
            demand(text.front() != '-' && text.front() != '.', "an id is no option and no hidden file");
        },
        ErrorCode::InvalidArgument);
}

void check_size(std::string_view text)
{
    taken(
        [&] {
            const auto size = ByteSize::parse(text);
            demand(size.bytes() > 0 && size.bytes() < std::uint64_t{1} << 63U, "a size is above 0 and below 2^63");
            const auto again = ByteSize::parse(size.to_string());
            const auto before = static_cast<double>(size.bytes());
            demand(std::abs(static_cast<double>(again.bytes()) - before) <= before / 19,
                   "a size is shown to one decimal");
            demand(ByteSize::parse(again.to_string()).to_string() == again.to_string(), "and then stays as it is");
        },
        ErrorCode::InvalidArgument);
}

/// An independent reading of RFC 3629, without noncharacters.
bool is_utf8(std::string_view text)
{
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t code = length == 1 ? lead : lead & (0x7fU >> length);
        if (lead == 0 || (lead >= 0x80 && lead < 0xc0) || lead > 0xf7 || i + length > text.size()) {
            return false;
        }
        for (std::size_t k = 1; k < length; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80) {
                return false;
            }
            code = code << 6U | (next & 0x3fU);
        }
        constexpr std::array<std::uint32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
        const bool is_none = code % 0x10000 >= 0xfffe || (code >= 0xfdd0 && code < 0xfdf0);
        if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || is_none) {
            return false;
        }
        i += length;
    }
    return true;
}

void check_text(std::string_view text)
{
    const auto utf8 = to_utf8(text);
    demand(is_utf8(utf8), "to_utf8 gives UTF-8 without NUL");
    demand(utf8.size() == text.size(), "a byte that is none becomes one '?'");
    demand(!is_utf8(text) || utf8 == text, "UTF-8 stays as it is");
    const auto brief = shown(text);
    demand(brief.size() == std::min<std::size_t>(text.size(), 64), "shown() is at most 64 bytes");
    demand(std::all_of(brief.begin(), brief.end(), [](char c) { return c >= ' ' && c <= '~'; }), "printable ASCII");
    const std::vector<std::string_view> words{"vm_defaults", "log_level", "vcpu", "name"};
    const auto near = nearest(text, words);
    demand(!near || std::find(words.begin(), words.end(), *near) != words.end(), "the nearest word is a known one");
}

void check_prefix(const std::string& text)
{
    taken(
        [&] {
            const auto prefix = guest::Prefix::parse(text);
            demand(prefix.bytes.size() == (prefix.family == AF_INET ? 4U : 16U), "an address has 4 or 16 bytes");
            demand(prefix.length <= prefix.bytes.size() * 8, "a prefix is no longer than its address");
            std::array<char, INET6_ADDRSTRLEN> address{};
            demand(::inet_ntop(prefix.family, prefix.bytes.data(), address.data(), address.size()) != nullptr,
                   "an address");
            demand(guest::Prefix::parse(std::string{address.data()} + "/" + std::to_string(prefix.length)) == prefix,
                   "an address written out is read back the same");
        },
        ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    check_id<VmName>(text, label_letters, 63);
    check_id<VmId>(text, label_letters.substr(0, 36), 12);
    check_id<Digest>(text, "0123456789abcdef", 64);
    check_id<ArtifactName>(text, std::string{label_letters} + "._", 63);
    check_size(text);
    check_text(text);
    check_prefix(std::string{text});
    return 0;
}
