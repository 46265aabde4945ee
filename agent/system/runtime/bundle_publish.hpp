// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

namespace banger::agent {

/// Puts a bundle that is whole, DRAFT/bundle.json and the files that it names, into FOLDER in place of one that is there. The caller holds
/// the folder's lock. A SIGKILL at any point leaves the old bundle, the new one, or none with finish_publishing() to do.
/// DRAFT is on FOLDER's file system, and gone afterwards. Throws NoSpace, Failed.
void publish_bundle(const std::filesystem::path& folder, const std::filesystem::path& draft);

/// Goes on where a publish_bundle() was killed. Nothing to do is fine. Throws as publish_bundle().
void finish_publishing(const std::filesystem::path& folder);

}  // namespace banger::agent
