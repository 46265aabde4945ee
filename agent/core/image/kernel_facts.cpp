// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/kernel_facts.hpp"

#include <algorithm>
#include <functional>

namespace banger::agent {
namespace {

using KernelBytes = std::span<const std::uint8_t>;

std::string_view as_text(KernelBytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Kernels have some tens of MiB, and a plain find takes seconds for those with a sanitizer.
std::size_t find_text(std::string_view text, std::string_view wanted, std::size_t from = 0)
{
    if (from >= text.size()) {
        return std::string_view::npos;
    }
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(from);
    const auto at = std::search(begin, text.end(), std::boyer_moore_horspool_searcher{wanted.begin(), wanted.end()});
    return at == text.end() ? std::string_view::npos : static_cast<std::size_t>(at - text.begin());
}

}  // namespace

std::optional<std::string> kernel_version(KernelBytes vmlinux)
{
    constexpr std::string_view banner = "Linux version ";
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-_~";
    constexpr std::size_t longest = 64;  // __NEW_UTS_LEN
    const auto text = as_text(vmlinux);
    for (auto at = find_text(text, banner); at != std::string_view::npos;
         at = find_text(text, banner, at + banner.size())) {
        const auto rest = text.substr(at + banner.size(), longest + 1);
        const auto end = rest.find_first_not_of(letters);
        // Others have the words, too, as formats: "Linux version %s".
        if (end != std::string_view::npos && end > 0 && rest[end] == ' ' && rest.front() >= '0' &&
            rest.front() <= '9') {
            return std::string{rest.substr(0, end)};
        }
    }
    return std::nullopt;
}

KernelBytes kernel_config(KernelBytes vmlinux)
{
    constexpr std::string_view begin_mark = "IKCFG_ST";
    constexpr std::string_view end_mark = "IKCFG_ED";
    const auto text = as_text(vmlinux);
    const auto begin = find_text(text, begin_mark);
    if (begin == std::string_view::npos) {
        return {};
    }
    const auto end = find_text(text, end_mark, begin);
    if (end == std::string_view::npos) {
        return {};
    }
    const auto first = begin + begin_mark.size();
    return vmlinux.subspan(first, end - first);
}

bool has_built_in(KernelBytes vmlinux, std::string_view config, const KernelPart& part)
{
    if (!config.empty()) {
        const auto line = std::string{part.option} + "=y\n";
        return config.starts_with(line) || config.find("\n" + line) != std::string_view::npos;
    }
    const std::string name{std::string{part.in_text} + '\0'};
    return find_text(as_text(vmlinux), name) != std::string_view::npos;
}

}  // namespace banger::agent
