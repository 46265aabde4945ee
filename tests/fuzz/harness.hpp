// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "common/error.hpp"

namespace banger::fuzz {

using ByteView = std::span<const std::uint8_t>;

/// Ends the program with the sentence that is not true, so that libFuzzer and the replay both see it.
inline void demand(bool holds, const char* what)
{
    if (!holds) {
        std::fprintf(stderr, "\nthis does not hold: %s\n", what);
        std::abort();
    }
}

inline std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The fuzzer's bytes as choices, one after the other; zeros when there are no more.
class Choices {
public:
    explicit Choices(ByteView bytes) : rest_{bytes} {}

    bool any() const noexcept { return !rest_.empty(); }
    std::uint8_t byte()
    {
        if (rest_.empty()) {
            return 0;
        }
        const auto value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint16_t number() { return static_cast<std::uint16_t>(byte() << 8U | byte()); }
    ByteView bytes(std::size_t count)
    {
        const auto taken = rest_.first(std::min(count, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    /// Up to 255 bytes, the first says how many.
    std::string text() { return std::string{text_of(bytes(byte()))}; }
    ByteView rest() { return bytes(rest_.size()); }

private:
    ByteView rest_;
};

/// Whether `call` returned; false when it threw banger::Error with one of `codes`. Anything else that it throws ends the program.
template <typename Call, typename... Codes>
bool taken(Call&& call, Codes... codes)
{
    try {
        call();
        return true;
    } catch (const Error& error) {
        demand(((error.code() == codes) || ...), error.what());
        demand(!std::string_view{error.what()}.empty(), "an Error says what was wrong");
        return false;
    }
}

}  // namespace banger::fuzz
