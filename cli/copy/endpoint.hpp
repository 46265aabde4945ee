// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// One side of `vm cp`.
struct Endpoint {
    std::optional<std::string> vm;  ///< none: this host
    std::string path;               ///< in a guest absolute; "-" on the host: a tar stream

    bool is_stream() const noexcept { return !vm && path == "-"; }
};

/// Shape: `VM:PATH`, where PATH counts from /root, or a path of this host; one with a `:` in its first component is written ./a:b.
/// Throws InvalidArgument for an empty one.
Endpoint parse_endpoint(std::string_view text);

/// A path as copying sees it.
struct CopyPath {
    std::string path;            ///< without slashes and `/.` at its end; "/" stays
    std::string name;            ///< its last component; "" for "/"
    bool wants_contents{false};  ///< it ended in `/.`: what is in it, not itself
    bool wants_folder{false};    ///< it ended in `/`
};
/// Throws InvalidArgument for one whose last component is `..`, as that has no name.
CopyPath parse_copy_path(std::string_view text);

/// What a target is before the copy.
enum class TargetKind { Absent, File, Folder, Other };

/// Where one source goes: `folder` exists, `name` is made in it; "" for the folder itself.
struct Placement {
    std::string folder;
    std::string name;
};

/// As cp(1) places things. `many`: there are several sources. Throws NotFound where a folder is wanted and isn't there, InvalidArgument where
/// a folder would replace a file.
Placement place(const CopyPath& source, bool source_is_folder, const CopyPath& target, TargetKind kind, bool many);

}  // namespace banger::cli
