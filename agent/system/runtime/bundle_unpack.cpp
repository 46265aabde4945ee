// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_unpack.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/unpack.hpp"
#include "agent/system/runtime/tar_walk.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t description_limit = std::size_t{1} << 20U;

void check_member_name(const std::string& name)
{
    const auto padded = "/" + name + "/";
    if (name.starts_with('/') || padded.find("/../") != std::string::npos) {
        refuse_member(name, "leads out of the bundle");
    }
    if (name != bundle_description && !is_bundle_file(name)) {
        refuse_member(name, "is no name of a bundle's file");
    }
}

std::uint64_t member_size(archive_entry* entry, const std::string& name, std::uint64_t left)
{
    const auto size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1;
    if (size < 0 || static_cast<std::uint64_t>(size) > left) {
        refuse_member(name, "says that it is larger than a bundle can be");
    }
    return static_cast<std::uint64_t>(size);
}

}  // namespace

void unpack_bundle(int archive, const Digest& sha256, const std::filesystem::path& folder,
                   const RuntimeProgress& progress, const UnpackLimits& limits)
{
    const UniqueFd place{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!place) {
        throw errno_error("can't open " + folder.string(), errno);
    }
    PackedStream stream{archive, limits, progress};
    TarWalk walk{stream, limits};
    std::set<std::string> names;
    std::size_t entries = 0;
    auto left = limits.sizes.bytes();
    while (auto* entry = walk.next()) {
        if (++entries > limits.entries) {
            throw Error{ErrorCode::CorruptData,
                        "it has more than " + std::to_string(limits.entries) + " entries, which no bundle has"};
        }
        const auto name = bare_member_name(entry);
        if ((name.empty() || name == ".") && archive_entry_filetype(entry) == AE_IFDIR) {
            continue;  // "tar -C FOLDER ." begins with it
        }
        check_member_name(name);
        check_is_plain_file(entry, name);
        if (!names.insert(name).second) {
            refuse_member(name, "is there twice");
        }
        const auto size = member_size(entry, name, left);
        left -= size;
        unpack_member(walk, size, place.get(), name);
    }
    // Once more, as it may have been changed since it was checked.
    if (const auto digest = stream.finish(); digest != sha256) {
        throw Error{ErrorCode::CorruptData, "it has the sha256 " + digest.str() + " and not " + sha256.str()};
    }
}

BundleContents check_bundle_files(const std::filesystem::path& folder)
{
    std::error_code none;
    const auto description = folder / bundle_description;
    if (!std::filesystem::is_regular_file(description, none)) {
        throw Error{ErrorCode::CorruptData, "half a bundle: there is no bundle.json in it"};
    }
    const auto text = read_file(description, description_limit);
    auto contents =
        parse_bundle_contents({reinterpret_cast<const char*>(text.data()), text.size()}, bundle_description);
    std::set<std::string> named{bundle_description};
    for (const auto& part : contents.parts) {
        struct stat status {};
        if (::lstat((folder / part.file).c_str(), &status) < 0 || !S_ISREG(status.st_mode)) {
            throw Error{ErrorCode::CorruptData,
                        "half a bundle: bundle.json names " + part.file + ", which isn't in it"};
        }
        if (static_cast<std::uint64_t>(status.st_size) != part.size) {
            throw Error{ErrorCode::CorruptData, part.file + " in it has " + std::to_string(status.st_size) +
                                                    " bytes, and " + std::to_string(part.size) + " by bundle.json"};
        }
        named.insert(part.file);
    }
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (!named.contains(entry.path().filename().string())) {
            refuse_member(entry.path().filename().string(), "is nothing that bundle.json names");
        }
    }
    return contents;
}

std::string mismatch_of(const std::filesystem::path& file, const BundlePart& part, const std::stop_token& stop)
{
    struct stat status {};
    if (::stat(file.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) {
        return "is no regular file";
    }
    if (static_cast<std::uint64_t>(status.st_size) != part.size) {
        return "has " + std::to_string(status.st_size) + " bytes and not " + std::to_string(part.size);
    }
    const auto digest = part.digest ? content_digest(file, stop) : sha256_of_file(file, stop);
    const auto& wanted = part.digest ? *part.digest : part.sha256;
    if (digest != wanted) {
        return std::string{"has the "} + (part.digest ? "digest " : "sha256 ") + digest.str() + " and not " +
               wanted.str();
    }
    return {};
}

}  // namespace banger::agent
