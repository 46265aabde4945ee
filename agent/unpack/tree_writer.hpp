// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::unpack {

/// Unpacks the file system in `image` into the folder `tree`, which exists and is empty: with owners, so as root, if only of a user namespace.
/// Nothing is written outside of it. Changes this process's working folder. Throws NotFound, CorruptData, NoSpace, Failed.
void unpack_image(const std::filesystem::path& image, const std::filesystem::path& tree);

}  // namespace banger::unpack
