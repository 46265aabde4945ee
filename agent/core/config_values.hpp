// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <filesystem>
#include <string>

#include "agent/core/config.hpp"

// The values of config.toml by their types. All throw InvalidArgument, a sentence that goes behind the key's name.
namespace banger::agent {

std::string toml_string(const toml::node& node);
std::uint32_t toml_number(const toml::node& node, std::int64_t least, std::int64_t most);
bool toml_truth(const toml::node& node);
/// Shape: absolute, or ~ and what is below the home. "" is no path, as if the key weren't there.
std::filesystem::path toml_path(const toml::node& node, const HostFacts& host);

/// A mode as people write it: "0600".
std::string octal_of(std::uint32_t mode);

}  // namespace banger::agent
