// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_home.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "agent/system/image/unpack.hpp"
#include "agent/system/runtime/bundle_unpack.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t bundle_json_limit = std::size_t{1} << 20U;
constexpr auto mend_bundle = "; banger runtime fetch --manifest FILE gets the bundle again";

/// Its own user's, or root's, who installed it; nobody else's to write.
void check_is_trusted(const fs::path& path)
{
    struct stat status {};
    constexpr mode_t others = S_IWGRP | S_IWOTH;
    const bool trusted = ::stat(path.c_str(), &status) == 0 && (status.st_mode & others) == 0 &&
                         (status.st_uid == ::geteuid() || status.st_uid == 0);
    if (!trusted) {
        throw Error{
            ErrorCode::NotAuthorized,
            path.string() + " must be yours or root's, and nobody else may write it; chmod go-w " + path.string()};
    }
}

std::optional<FileIdentity> file_identity(const fs::path& file)
{
    struct stat status {};
    return ::lstat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) ? std::optional{identity_of(status)}
                                                                          : std::nullopt;
}

}  // namespace

std::vector<fs::path> BundleHome::places() const
{
    auto all = places_.given();
    all.insert(all.begin(), places_.own());
    return all;
}

std::optional<FoundBundle> BundleHome::find() const
{
    for (const auto& folder : places()) {
        const auto description = folder / bundle_description;
        std::error_code none;
        if (!fs::is_regular_file(description, none)) {
            continue;
        }
        check_is_trusted(folder);
        check_is_trusted(description);
        const auto text = read_file(description, bundle_json_limit);
        auto contents =
            parse_bundle_contents({reinterpret_cast<const char*>(text.data()), text.size()}, description.string());
        const auto origin = read_bundle_stamps(places_.stamps, folder).origin;
        return FoundBundle{folder, std::move(contents), origin.empty() ? "found in its place" : origin};
    }
    return std::nullopt;
}

RuntimeProgram BundleHome::look_at(const FoundBundle& bundle, const BundleStamps& stamps, const BundlePart& part) const
{
    RuntimeProgram row{.name = part.name,
                       .version = part.version,
                       .path = bundle.file_of(part),
                       .state = RuntimeState::Damaged,
                       .origin = bundle.origin,
                       .problem = {}};
    struct stat status {};
    if (::lstat(row.path.c_str(), &status) < 0) {
        row.state = errno == ENOENT ? RuntimeState::Missing : RuntimeState::Damaged;
        row.problem = errno == ENOENT
                          ? "is not there, though bundle.json names it"
                          : "can't be looked at: " + std::error_code{errno, std::generic_category()}.message();
        return row;
    }
    const auto stamp = stamps.files.find(part.file);
    if (!S_ISREG(status.st_mode)) {
        row.problem = "is no regular file";
    } else if (static_cast<std::uint64_t>(status.st_size) != part.size) {
        row.problem = "has " + std::to_string(status.st_size) + " bytes and not " + std::to_string(part.size);
    } else if (bundle_part_kind(part.name).mode == 0755 && ::access(row.path.c_str(), X_OK) < 0) {
        row.problem = "may not be run: its mode or its file system (noexec) forbids it";
    } else if (stamp == stamps.files.end() || stamp->second.sha256 != part.sha256 ||
               stamp->second.file != identity_of(status)) {
        row.state = RuntimeState::Unchecked;
    } else {
        row.state = RuntimeState::Ok;
    }
    return row;
}

std::vector<RuntimeProgram> BundleHome::list() const
{
    std::vector<RuntimeProgram> rows;
    if (const auto bundle = find()) {
        const auto stamps = read_bundle_stamps(places_.stamps, bundle->folder);
        for (const auto& part : bundle->contents.parts) {
            rows.push_back(look_at(*bundle, stamps, part));
        }
    }
    return rows;
}

/// The stamp is of the file as it was before it was read, so one that changes meanwhile is read again.
void BundleHome::read_again(const FoundBundle& bundle, const BundlePart& part, RuntimeProgram& row,
                            const std::stop_token& stop) const
{
    if (row.state != RuntimeState::Ok && row.state != RuntimeState::Unchecked) {
        return;
    }
    const auto before = file_identity(row.path);
    row.problem = mismatch_of(row.path, part, stop);
    row.state = row.problem.empty() ? RuntimeState::Ok : RuntimeState::Damaged;
    remember(bundle.folder, [&](BundleStamps& stamps) {
        if (row.state == RuntimeState::Ok && before) {
            stamps.files.insert_or_assign(part.file, BundleStamp{part.sha256, *before});
        } else {
            stamps.files.erase(part.file);
        }
    });
}

std::vector<RuntimeProgram> BundleHome::verify(const std::stop_token& stop) const
{
    std::vector<RuntimeProgram> rows;
    if (const auto bundle = find()) {
        const auto stamps = read_bundle_stamps(places_.stamps, bundle->folder);
        for (const auto& part : bundle->contents.parts) {
            read_again(*bundle, part, rows.emplace_back(look_at(*bundle, stamps, part)), stop);
        }
    }
    return rows;
}

std::optional<fs::path> BundleHome::file_of(std::string_view name, const std::stop_token& stop) const
{
    const auto bundle = find();
    const auto* part = bundle ? bundle->contents.find(name) : nullptr;
    if (part == nullptr) {
        return std::nullopt;
    }
    auto row = look_at(*bundle, read_bundle_stamps(places_.stamps, bundle->folder), *part);
    if (row.state == RuntimeState::Unchecked) {
        read_again(*bundle, *part, row, stop);
    }
    if (row.state != RuntimeState::Ok) {
        throw Error{ErrorCode::HostLacks, row.path.string() + " " + row.problem + mend_bundle};
    }
    check_is_trusted(row.path);
    return std::move(row.path);
}

std::optional<fs::path> BundleHome::image_base(const std::stop_token& stop) const
{
    const auto bundle = find();
    if (!bundle || bundle->contents.find(bundle_part::rootfs) != nullptr) {
        return std::nullopt;
    }
    try {
        return file_of(bundle_part::rootfs_docker, stop);
    } catch (const Error& error) {
        throw Error{error.code() == ErrorCode::HostLacks ? ErrorCode::CorruptData : error.code(), error.what()};
    }
}

/// What can't be kept is read again the next time.
void BundleHome::remember(const fs::path& folder, const std::function<void(BundleStamps&)>& change) const
{
    const std::lock_guard guard{stamping_};
    auto stamps = read_bundle_stamps(places_.stamps, folder);
    change(stamps);
    try {
        write_bundle_stamps(places_.stamps, folder, stamps);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    }
}

}  // namespace banger::agent
