// SPDX-License-Identifier: GPL-2.0-or-later
// The texts that a client of the broker sends, and those that the broker reads its own names from.
#include "broker/core/config.hpp"
#include "broker/core/sandbox.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

using namespace broker;

bool is_plain(std::string_view text, std::string_view more)
{
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
    });
}

void check_names(std::string_view text)
{
    taken(
        [&] {
            const auto id = SandboxId::parse(text);
            demand(id.str() == text && is_plain(text, "-"), "an id is plain");
            demand(!text.empty() && text.size() <= 32, "an id is short");
        },
        ErrorCode::InvalidArgument);
    taken(
        [&] {
            const auto key = SandboxKey::parse(text);
            demand(key.str() == text, "a key has one text");
            demand(SandboxKey::parse(key.str()) == key, "a key is read back");
        },
        ErrorCode::InvalidArgument);
    taken(
        [&] {
            demand(VmName::parse(text).str() == text && is_plain(text, "-") && text.size() < 64, "a name is a label");
        },
        ErrorCode::InvalidArgument);
    taken([&] { demand(Digest::parse(text).str() == text && text.size() == 64, "a digest is 64 digits"); },
          ErrorCode::InvalidArgument);
}

void check_pool(std::string_view text)
{
    taken(
        [&] {
            const auto pool = AddressPool::parse(text);
            demand(pool.slots() >= 4 && pool.slots() <= 16384, "a pool has 4 to 16384 networks");
            demand(pool.network % (pool.slots() * 4) == 0, "a pool begins where its networks do");
            const auto written = ipv4_text(pool.network) + '/' + std::to_string(pool.prefix);
            demand(AddressPool::parse(written).network == pool.network, "a pool is read back");
        },
        ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    check_names(text);
    check_pool(text);
    return 0;
}
