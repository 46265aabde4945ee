// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/ids.hpp"

namespace banger::agent {

/// An archive to download.
struct ArchiveSource {
    std::string url;
    std::string member;  ///< path in the archive: relative, no "..", no empty parts
};

/// A wheel that the user's own pip downloads from where it is configured to.
struct PipSource {
    std::string requirement;  ///< NAME==VERSION
    std::string python;       ///< e.g. "3.12": the version whose wheels are asked for
    std::string member;       ///< path in the wheel, as above
};

using RuntimeSource = std::variant<ArchiveSource, PipSource>;

/// For people: the URL, or "pip (NAME==VERSION)".
std::string to_string(const RuntimeSource& source);
const std::string& member_of(const RuntimeSource& source);

struct BundledProgram {
    std::string name;  ///< the name of its file, too. Shape: as ArtifactName
    std::string version;
    Digest sha256;  ///< of the program's file
    std::vector<RuntimeSource> sources;
};

/// From where archives may be downloaded: a manifest that was given for a test may also name http and file URLs.
enum class UrlSchemes { HttpsOnly, Any };

/// Firecracker, kernel and images in one archive: [bundle].
struct BundleSource {
    /// Shape: http://, https:// or file:/// URL, absolute path, or a path relative to the manifest's folder, without "..".
    std::string url;
    Digest sha256;  ///< of the archive
};

/// What runtime-bundle.toml says.
struct RuntimeBundle {
    std::string version;  ///< names the folder that its programs are put in. Shape: as ArtifactName
    std::vector<BundledProgram> programs;
    UrlSchemes schemes{UrlSchemes::HttpsOnly};  ///< of the programs' sources
    std::optional<BundleSource> archive{};      ///< nullopt: url and sha256 of [bundle] are empty, or there is none
};

/// Shape: `version`, perhaps [bundle] with url and sha256, then [[program]] tables of name, version, architecture (x86_64), sha256 and at
/// least one [[program.source]], each with either url and member, or pip, python and member. Nothing else. With a bundle that is
/// named, programs may be missing.
/// Throws InvalidArgument: "FILE:LINE: what is wrong".
RuntimeBundle parse_bundle(std::string_view text, std::string_view file, UrlSchemes schemes);

}  // namespace banger::agent
