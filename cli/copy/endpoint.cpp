// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy/endpoint.hpp"

#include "common/error.hpp"

namespace banger::cli {
namespace {

constexpr std::string_view guest_home = "/root";

std::string in_guest(std::string_view path)
{
    if (path.starts_with('/')) {
        return std::string{path};
    }
    return std::string{guest_home} + "/" + std::string{path.empty() ? "." : path};
}

std::string parent_of(const CopyPath& path)
{
    const auto slash = path.path.rfind('/');
    if (slash == std::string::npos) {
        return ".";
    }
    return slash == 0 ? "/" : path.path.substr(0, slash);
}

}  // namespace

Endpoint parse_endpoint(std::string_view text)
{
    if (text.empty()) {
        throw Error{ErrorCode::InvalidArgument, "a path to copy can't be empty (\"\")"};
    }
    const auto colon = text.find(':');
    const auto slash = text.find('/');
    if (colon == std::string_view::npos || colon == 0 || slash < colon) {
        return {std::nullopt, std::string{text}};
    }
    return {std::string{text.substr(0, colon)}, in_guest(text.substr(colon + 1))};
}

CopyPath parse_copy_path(std::string_view text)
{
    CopyPath parsed;
    for (;;) {
        if (text.size() > 1 && text.ends_with('/')) {
            text.remove_suffix(1);
            parsed.wants_folder = true;
        } else if (text == "." || text.ends_with("/.")) {
            parsed.wants_contents = true;
            text.remove_suffix(1);
            if (text.empty()) {
                break;
            }
        } else {
            break;
        }
    }
    parsed.path = text.empty() ? "." : std::string{text};
    const auto slash = text.rfind('/');
    parsed.name = std::string{slash == std::string_view::npos ? text : text.substr(slash + 1)};
    if (parsed.name == "..") {
        throw Error{ErrorCode::InvalidArgument,
                    "\"" + parsed.path + "\" ends in \"..\", which has no name to copy under; name the folder itself"};
    }
    return parsed;
}

Placement place(const CopyPath& source, bool source_is_folder, const CopyPath& target, TargetKind kind, bool many)
{
    if (kind == TargetKind::Other) {
        throw Error{ErrorCode::InvalidArgument, target.path + " is neither a file nor a folder"};
    }
    const bool contents = source.wants_contents || source.name.empty();
    if (kind == TargetKind::Folder) {
        return {target.path, contents ? "" : source.name};
    }
    const bool must_be_folder = many || target.wants_contents || (target.wants_folder && !source_is_folder);
    if (kind == TargetKind::File && (must_be_folder || source_is_folder || target.wants_folder)) {
        throw Error{ErrorCode::InvalidArgument, target.path + " is a file, not a folder"};
    }
    if (must_be_folder) {
        throw Error{ErrorCode::NotFound, "there is no folder " + target.path};
    }
    return {parent_of(target), target.name};
}

}  // namespace banger::cli
