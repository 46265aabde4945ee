// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <toml++/toml.h>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/config.hpp"

namespace banger::agent {

/// Whose variable counts: a key of one request's is its caller's, a key that all share is bangerd's.
enum class VariableOf { Nobody, Caller, Daemon };

/// What a variable's text stands for in TOML.
enum class VariableForm { Text, Number, Mebibytes, Truth };

/// One known key: how its value gets into the configuration, and out of it again as it would stand in the file.
struct ConfigKey {
    std::string_view name;
    std::string_view variable;
    VariableOf whose;
    VariableForm form;
    /// Throws InvalidArgument, without naming the key.
    std::function<void(Config&, const toml::node&, const HostFacts&)> apply;
    std::function<std::string(const Config&)> shown;
};

inline constexpr std::string_view vm_defaults_table = "vm_defaults";
inline constexpr std::string_view desktop_table = "desktop";
/// A list of tables, which no variable stands for.
inline constexpr std::string_view file_sync_key = "file_sync";

/// Outside of any table.
const std::vector<ConfigKey>& top_config_keys();
/// In [vm_defaults].
const std::vector<ConfigKey>& vm_config_keys();
/// In [desktop].
const std::vector<ConfigKey>& desktop_config_keys();

/// One table of [[file_sync]]. Throws InvalidArgument.
FileSync file_sync_of(const toml::node& node, const HostFacts& host);

/// A word of TOML's.
std::string toml_text(std::string_view text);

}  // namespace banger::agent
