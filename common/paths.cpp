// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/paths.hpp"

#include <cstdint>
#include <string_view>

#include "common/error.hpp"

namespace banger {
namespace {

std::filesystem::path base(const Environment& environment, const char* variable, const char* below_home)
{
    if (const auto value = environment(variable); value && !value->empty()) {
        if (value->front() != '/') {
            throw Error{ErrorCode::InvalidArgument, std::string{variable} + " must be an absolute path, not " + *value};
        }
        return *value;
    }
    const auto home = environment("HOME");
    if (!home || home->empty() || home->front() != '/') {
        throw Error{ErrorCode::HostLacks, std::string{"neither "} + variable + " nor HOME is set; set HOME"};
    }
    return std::filesystem::path{*home} / below_home;
}

/// FNV-1a, 32 bit, as 8 digits (a socket's path is short): only to tell apart what one user has.
std::string hash_of(std::string_view text)
{
    std::uint32_t hash = 2166136261U;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string word;
    for (int shift = 28; shift >= 0; shift -= 4) {
        word += digits[(hash >> static_cast<unsigned>(shift)) & 0xfU];
    }
    return word;
}

}  // namespace

Paths find_paths(const Environment& environment)
{
    Paths paths;
    paths.state = base(environment, "XDG_STATE_HOME", ".local/state") / "banger";
    paths.cache = base(environment, "XDG_CACHE_HOME", ".cache") / "banger";
    paths.config = base(environment, "XDG_CONFIG_HOME", ".config") / "banger/config.toml";
    const auto runtime = environment("XDG_RUNTIME_DIR");
    std::error_code none;
    const bool usable =
        runtime && !runtime->empty() && runtime->front() == '/' && std::filesystem::is_directory(*runtime, none);
    const auto home = environment("HOME");
    const bool is_usual = home && paths.state == std::filesystem::path{*home} / ".local/state/banger";
    paths.instance = !usable || is_usual ? "bangerd" : "bangerd-" + hash_of(paths.state.string());
    paths.runtime = usable ? std::filesystem::path{*runtime} / "banger" : paths.state / "run";
    paths.names = usable ? paths.runtime / "names" / paths.instance : "";
    return paths;
}

}  // namespace banger
