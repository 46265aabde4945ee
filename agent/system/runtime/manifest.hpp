// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/core/runtime/bundle.hpp"

namespace banger::agent {

/// The manifest that is compiled in, or a file in its place (its programs' URLs may be http and file, too). The bundle's url is no
/// relative path any more.
/// Throws InvalidArgument with FILE:LINE, NotFound, CorruptData (over 1 MiB).
RuntimeBundle load_bundle(const std::filesystem::path& in_place_of_ours);

}  // namespace banger::agent
