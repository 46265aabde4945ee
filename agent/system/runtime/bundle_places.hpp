// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>

namespace banger::agent {

/// The checkout that a program was built from, when it is still in its build tree: the folder above its own has CMake's cache, which says
/// so. nullopt: it was installed.
std::optional<std::filesystem::path> checkout_of(const std::filesystem::path& program);

/// PREFIX/lib/banger of a program that was installed in PREFIX/bin or PREFIX/libexec/banger; whether it is there or not.
std::filesystem::path installed_bundle_of(const std::filesystem::path& program);

/// This program's own file.
std::filesystem::path own_program();

}  // namespace banger::agent
