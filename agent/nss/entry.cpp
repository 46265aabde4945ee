// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/entry.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace banger::nss {
namespace {

/// Not tolower(), which goes by the process's locale.
constexpr char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// As banger::VmName has it.
bool is_label(std::string_view text)
{
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && text.size() <= label_limit && text.front() != '-' && text.back() != '-' &&
           std::all_of(text.begin(), text.end(), fits);
}

std::optional<in_addr_t> parse_address(std::string_view text)
{
    std::array<char, INET_ADDRSTRLEN> terminated{};
    if (text.size() >= terminated.size()) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), terminated.begin());
    in_addr address{};
    if (std::find(text.begin(), text.end(), '\0') != text.end() ||
        ::inet_pton(AF_INET, terminated.data(), &address) != 1) {
        return std::nullopt;
    }
    return address.s_addr;
}

}  // namespace

std::optional<HostName> HostName::of(std::string_view asked) noexcept
{
    if (!asked.empty() && asked.back() == '.') {
        asked.remove_suffix(1);
    }
    if (asked.size() <= domain.size() || asked.size() > name_limit) {
        return std::nullopt;
    }
    HostName name;
    std::transform(asked.begin(), asked.end(), name.text_.begin(), small);
    name.size_ = asked.size();
    auto label = name.text();
    if (!label.ends_with(domain)) {
        return std::nullopt;
    }
    label.remove_suffix(domain.size());
    return is_label(label) ? std::optional{name} : std::nullopt;
}

std::optional<Entry> parse_entry(std::string_view line) noexcept
{
    const auto space = line.find(' ');
    if (space == std::string_view::npos) {
        return std::nullopt;
    }
    const auto address = parse_address({line.data(), space});
    line.remove_prefix(space + 1);
    const auto name = HostName::of(line);
    if (!address || !name || name->text() != line) {
        return std::nullopt;
    }
    return Entry{*address, *name};
}

}  // namespace banger::nss
