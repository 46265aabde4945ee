// SPDX-License-Identifier: GPL-2.0-or-later
// The half of BundleHome that brings a bundle into the runtime folder.
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agent/core/own_path.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/system/runtime/bundle_home.hpp"
#include "agent/system/runtime/bundle_publish.hpp"
#include "agent/system/runtime/bundle_unpack.hpp"
#include "agent/system/runtime/manifest.hpp"
#include "agent/system/runtime/resumed_download.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "agent/system/sha256.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr auto scratch_folder = ".new";
constexpr auto part_folder = ".part";

/// Of a file: URL, %20 and all.
fs::path path_of_file_url(std::string_view url)
{
    url.remove_prefix(std::string_view{"file://"}.size());
    int size = 0;
    const c_ptr<char, curl_free> path{
        curl_easy_unescape(nullptr, std::string{url}.c_str(), static_cast<int>(url.size()), &size)};
    if (!path || size < 1 ||
        std::string_view{path.get(), static_cast<std::size_t>(size)}.find('\0') != std::string_view::npos) {
        throw Error{ErrorCode::InvalidArgument, std::string{url} + " is no path"};
    }
    return std::string{path.get(), static_cast<std::size_t>(size)};
}

bool is_web_url(std::string_view url) { return url.starts_with("http://") || url.starts_with("https://"); }

void check_local_sum(int file, const Digest& sha256, const RuntimeProgress& progress)
{
    // By the descriptor, so that it is this file that is unpacked then.
    const auto digest = sha256_of_file("/proc/self/fd/" + std::to_string(file), progress.stop);
    if (digest != sha256) {
        throw Error{ErrorCode::CorruptData, "it has the sha256 " + digest.str() + " and not " + sha256.str() +
                                                ", so nothing of it was unpacked"};
    }
}

UniqueFd open_archive(const fs::path& file)
{
    UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};  // not blocking, as opening a FIFO would
    struct stat status {};
    if (!fd || ::fstat(fd.get(), &status) < 0) {
        throw errno_error("it can't be read", errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error{ErrorCode::Failed, "it is no regular file"};
    }
    return fd;
}

/// What is wrong with an archive names it.
template <typename Work>
auto about_archive(const std::string& url, Work&& work)
{
    try {
        return work();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled) {
            throw;
        }
        // Of a server, not of bangerd, which "unavailable" is said of.
        const auto code = error.code() == ErrorCode::Unavailable ? ErrorCode::Failed : error.code();
        throw Error{code, url + ": " + error.what(), error.cause()};
    }
}

void verify_parts(const fs::path& folder, const BundleContents& contents, const RuntimeProgress& progress)
{
    for (const auto& part : contents.parts) {
        progress.stage("checking " + part.file);
        if (const auto problem = mismatch_of(folder / part.file, part, progress.stop); !problem.empty()) {
            throw Error{ErrorCode::CorruptData, part.file + " in it " + problem};
        }
    }
}

std::map<std::string, BundleStamp> stamps_of_files(const fs::path& folder, const BundleContents& contents)
{
    std::map<std::string, BundleStamp> stamps;
    for (const auto& part : contents.parts) {
        struct stat status {};
        if (::lstat((folder / part.file).c_str(), &status) == 0) {
            stamps.emplace(part.file, BundleStamp{part.sha256, identity_of(status)});
        }
    }
    return stamps;
}

}  // namespace

/// Whether the very same archive is unpacked there, and nothing of it was touched.
bool BundleHome::is_there(const fs::path& folder, const BundleSource& source) const
{
    const auto stamps = read_bundle_stamps(places_.stamps, folder);
    std::error_code none;
    if (stamps.archive != source.sha256 || !fs::exists(folder / bundle_description, none)) {
        return false;
    }
    const auto rows = list();
    return !rows.empty() && std::all_of(rows.begin(), rows.end(),
                                        [](const RuntimeProgram& row) { return row.state == RuntimeState::Ok; });
}

void BundleHome::recover()
{
    const auto folder = places_.own();
    std::error_code none;
    const bool was_fetched_into = fs::exists(folder / bundle_lock, none);  // else nothing in it is ours to clear up
    if (!fs::is_directory(folder, none) || !was_fetched_into || !is_own(folder)) {
        return;
    }
    try {
        const RuntimeLock lock{folder};
        fs::remove_all(folder / scratch_folder, none);
        finish_publishing(folder);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::InUse) {
            throw;
        }
    }
}

FetchOutcome BundleHome::fetch(const fs::path& manifest, const RuntimeProgress& progress)
{
    const auto bundle = load_bundle(manifest);
    if (!bundle.archive) {
        throw Error{ErrorCode::InvalidArgument,
                    manifest.string() +
                        " names no bundle: its [bundle] has no url and sha256; banger runtime package "
                        "makes one and prints its sha256"};
    }
    return fetch(*bundle.archive, progress);
}

FetchOutcome BundleHome::fetch(const BundleSource& source, const RuntimeProgress& progress)
{
    const auto folder = places_.own();
    make_private_folder(folder);
    check_is_own(folder);
    const RuntimeLock lock{folder};
    const auto scratch = folder / scratch_folder;
    fs::remove_all(scratch);  // what a bangerd that was killed left there
    finish_publishing(folder);
    if (is_there(folder, source)) {
        return {};
    }
    make_private_folder(scratch);
    Rollback clear;
    clear.add([&scratch] {
        std::error_code none;
        fs::remove_all(scratch, none);
    });
    return about_archive(source.url, [&] { return bring(source, folder, scratch, progress); });
}

FetchOutcome BundleHome::bring(const BundleSource& source, const fs::path& folder, const fs::path& scratch,
                               const RuntimeProgress& progress) const
{
    fs::path archive{source.url};
    if (is_web_url(source.url)) {
        make_private_folder(folder / part_folder);
        progress.stage("downloading " + archive.filename().string());
        archive = resumed_download(source.url, source.sha256, folder / part_folder, progress);
    } else if (source.url.starts_with("file://")) {
        archive = path_of_file_url(source.url);
    }
    const auto file = open_archive(archive);
    progress.stage("checking the archive");
    check_local_sum(file.get(), source.sha256, progress);
    progress.stage("unpacking the bundle");
    try {
        unpack_bundle(file.get(), source.sha256, scratch, progress);
        const auto contents = check_bundle_files(scratch);
        verify_parts(scratch, contents, progress);
        publish_bundle(folder, scratch);
        remember(folder, [&](BundleStamps& stamps) {
            stamps = {source.url, source.sha256, stamps_of_files(folder, contents)};
        });
        fs::remove_all(folder / part_folder);
        FetchOutcome outcome;
        for (const auto& part : contents.parts) {
            outcome.fetched.push_back(part.name);
        }
        return outcome;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::NoSpace || error.code() == ErrorCode::CorruptData) {
            std::error_code none;
            fs::remove_all(folder / part_folder, none);  // room is what is missing, or it is worth nothing
        }
        throw;
    }
}

}  // namespace banger::agent
