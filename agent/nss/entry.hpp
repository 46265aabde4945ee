// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace banger::nss {

inline constexpr std::string_view domain = ".vm";
inline constexpr std::size_t label_limit = 63;  // RFC 1035, section 2.3.4
inline constexpr std::size_t name_limit = label_limit + domain.size();

/// A VM's name as a host's, in small letters: "web.vm". With a NUL behind it, for C.
class HostName {
public:
    /// Of what a program asks for: letters of either case (RFC 4343), with or without a dot at the end. None for what can't be a VM's name.
    static std::optional<HostName> of(std::string_view asked) noexcept;
    std::string_view text() const noexcept { return {text_.data(), size_}; }
    const std::array<char, name_limit + 1>& chars() const noexcept { return text_; }

private:
    std::array<char, name_limit + 1> text_{};
    std::size_t size_{0};
};

/// A VM that runs.
struct Entry {
    in_addr_t address;  ///< network byte order
    HostName name;
};

inline constexpr std::size_t line_limit = INET_ADDRSTRLEN - 1 + 1 + name_limit;

/// A line of a names file, without its end: ADDRESS, a space, NAME.vm. None for everything else.
std::optional<Entry> parse_entry(std::string_view line) noexcept;

}  // namespace banger::nss
