// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/paths.hpp"

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
    paths.runtime = usable ? std::filesystem::path{*runtime} / "banger" : paths.state / "run";
    return paths;
}

}  // namespace banger
