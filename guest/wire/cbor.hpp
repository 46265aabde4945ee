// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/frame.hpp"

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace banger::wire {

/// The map that `payload` holds. Nested at most 8 deep, at most 4096 values in all. Throws CorruptData.
nlohmann::json decode_map(ByteView payload);

/// Throws CorruptData with "the field <name> <problem>".
[[noreturn]] void bad_field(std::string_view name, std::string_view problem);

/// Bytes of any kind (argv, paths) travel as CBOR byte strings.
nlohmann::json byte_string(std::string_view bytes);
/// For people, of whom none reads more than `max_sentence` bytes of it: the rest is cut, so that a message which quotes a path as long as
/// a message still is one.
inline constexpr std::size_t max_sentence = 4096;
nlohmann::json sentence(std::string_view text);
nlohmann::json byte_strings(const std::vector<std::string>& list);

/// Typed, checked look at the fields of a decoded map. Unknown fields are ignored; what is missing or of another type
/// throws CorruptData. The map outlives it.
class Fields {
public:
    /// Throws CorruptData when `map` is not one.
    explicit Fields(const nlohmann::json& map);

    bool has(std::string_view name) const { return find(name) != nullptr; }
    std::string text(std::string_view name) const;
    /// Of a byte string; text is taken too. No NUL inside.
    std::string bytes(std::string_view name) const;
    /// As bytes(), of which max_sentence at most, on one line: the other side may have seen to neither, and what it says stands amid
    /// sentences of ours.
    std::string sentence(std::string_view name) const;
    std::vector<std::string> byte_list(std::string_view name) const;
    std::vector<std::string> text_list(std::string_view name) const;
    bool flag(std::string_view name) const;
    Fields map(std::string_view name) const;

    template <std::integral T>
    T number(std::string_view name, T least = std::numeric_limits<T>::min(),
             T most = std::numeric_limits<T>::max()) const
    {
        const auto& value = get(name);
        if (value.is_number_unsigned()) {
            const auto number = value.template get<std::uint64_t>();
            if (std::in_range<T>(number) && static_cast<T>(number) >= least && static_cast<T>(number) <= most) {
                return static_cast<T>(number);
            }
        } else if (value.is_number_integer()) {
            const auto number = value.template get<std::int64_t>();
            if (std::in_range<T>(number) && static_cast<T>(number) >= least && static_cast<T>(number) <= most) {
                return static_cast<T>(number);
            }
        }
        bad_field(name, "is not a number in its range");
    }

    template <typename Read>
    auto optional(std::string_view name, Read read) const -> std::optional<decltype(read(*this, name))>
    {
        return has(name) ? std::optional{read(*this, name)} : std::nullopt;
    }

    const nlohmann::json& get(std::string_view name) const;

private:
    const nlohmann::json* find(std::string_view name) const;
    const nlohmann::json* map_;
};

Bytes to_bytes(const nlohmann::json& map);

}  // namespace banger::wire
