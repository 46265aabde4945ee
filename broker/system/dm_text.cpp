// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/dm_text.hpp"

#include <charconv>
#include <cstdint>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::broker {
namespace {

[[noreturn]] void refuse(std::string_view text)
{
    throw Error{ErrorCode::Failed, "device-mapper says \"" + shown(text) + "\" of a snapshot"};
}

/// The number at the front of `text`, which is then without it and the letter after it.
template <typename T>
T take_number(std::string_view& text, char after, std::string_view whole)
{
    T number{};
    const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (failure != std::errc{} || rest == text.data() + text.size() || *rest != after) {
        refuse(whole);
    }
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()) + 1);
    return number;
}

std::string number_of(BlockDevice device) { return std::to_string(device.major) + ":" + std::to_string(device.minor); }

}  // namespace

std::string snapshot_table(BlockDevice base, BlockDevice cow)
{
    return number_of(base) + " " + number_of(cow) + " PO 8";
}

SnapshotStatus parse_snapshot_status(std::string_view text, bool held)
{
    using State = SnapshotStatus::State;
    if (text == "Overflow") {
        return {.state = State::Overflow, .used = {}, .total = {}, .held = held};
    }
    if (text == "Invalid" || text == "Merge failed" || text == "Unknown") {
        return {.state = State::Invalid, .used = {}, .total = {}, .held = held};
    }
    auto rest = text;
    const auto used = take_number<std::uint64_t>(rest, '/', text);
    const auto total = take_number<std::uint64_t>(rest, ' ', text);
    return {.state = State::Active, .used = ByteSize{used * sector}, .total = ByteSize{total * sector}, .held = held};
}

BlockDevice parse_snapshot_cow(std::string_view table)
{
    auto rest = table;
    (void)take_number<unsigned>(rest, ':', table);
    (void)take_number<unsigned>(rest, ' ', table);
    const auto major = take_number<unsigned>(rest, ':', table);
    const auto minor = take_number<unsigned>(rest, ' ', table);
    return {.major = major, .minor = minor};
}

}  // namespace banger::broker
