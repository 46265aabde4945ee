// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/environment.hpp"

#include "common/text.hpp"

#include <string_view>

#include <unistd.h>

namespace banger::cli {
namespace {

constexpr std::string_view own_prefix = "BANGER_";

/// A D-Bus string is UTF-8, and one that isn't would end the connection.
bool can_be_sent(const std::string& text) { return to_utf8(text) == text; }

}  // namespace

std::map<std::string, std::string> shared_environment()
{
    std::map<std::string, std::string> variables;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string text{*entry};
        const auto sign = text.find('=');
        const bool wanted = text.starts_with(own_prefix) || text.starts_with("XDG_") || text.starts_with("HOME=");
        if (sign != std::string::npos && wanted && can_be_sent(text)) {
            variables.emplace(text.substr(0, sign), text.substr(sign + 1));
        }
    }
    return variables;
}

std::map<std::string, std::string> settings_environment()
{
    auto variables = shared_environment();
    std::erase_if(variables, [](const auto& variable) { return !variable.first.starts_with(own_prefix); });
    for (const auto* option : {"BANGER_IMAGE", "BANGER_KERNEL", "BANGER_VCPU", "BANGER_MEMORY", "BANGER_DISK_SIZE",
                               "BANGER_NETWORK", "BANGER_VMM", "BANGER_STORAGE", "BANGER_SYSTEM_OVERLAY_SIZE"}) {
        variables.erase(option);
    }
    return variables;
}

void put_settings(VariantMap& options)
{
    if (const auto variables = settings_environment(); !variables.empty()) {
        options.emplace("environment", sdbus::Variant{variables});
    }
}

}  // namespace banger::cli
