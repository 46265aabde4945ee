// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/artifact_catalog.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/image_record.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t least_digits = 8;
constexpr auto draft_prefix = ".new-";

/// Discarded for what is no file, and for one that is damaged.
nlohmann::json read_json(const std::filesystem::path& path)
{
    std::error_code none;
    if (!std::filesystem::is_regular_file(path, none)) {  // reading a folder would throw
        return nlohmann::json(nlohmann::json::value_t::discarded);
    }
    std::ifstream file{path};
    return nlohmann::json::parse(file, nullptr, false);
}

/// The first file that a stamp was written of and that is another by now. None was written of the first versions.
std::optional<std::filesystem::path> changed_file(const Artifact& artifact)
{
    for (const auto& [name, stamp] : artifact.stamps) {
        if (!is_same_stamp(stamp, stamp_of(artifact.folder / name))) {
            return artifact.folder / name;
        }
    }
    return std::nullopt;
}

/// When something last came, went or was renamed in it, in ns since 1970; 0 where it isn't there.
std::int64_t folder_time(const std::filesystem::path& folder)
{
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    struct stat status {};
    return ::stat(folder.c_str(), &status) == 0 ? status.st_mtim.tv_sec * ns_per_s + status.st_mtim.tv_nsec : 0;
}

bool is_over(std::int64_t moment)
{
    constexpr std::chrono::seconds a_tick_or_more{1};
    const auto age = std::chrono::system_clock::now().time_since_epoch() - std::chrono::nanoseconds{moment};
    return std::chrono::abs(age) > a_tick_or_more;  // another host's clock may be ahead
}

constexpr auto image_stamp = "stamp";     ///< of an image's one file
constexpr auto kernel_stamps = "stamps";  ///< of a kernel's, by name
constexpr auto damage_mark = "damaged";   ///< of an image

std::map<std::string, std::string> stamps_in(const nlohmann::json& json)
{
    std::map<std::string, std::string> stamps;
    if (const auto stamp = json.value(image_stamp, std::string{}); !stamp.empty()) {
        stamps.emplace(artifact_file::root_file_system, stamp);
    }
    const auto of_kernel = json.value(kernel_stamps, nlohmann::json::object());
    for (const auto& [name, stamp] : of_kernel.items()) {
        if (name.find('/') == std::string::npos) {
            stamps.emplace(name, stamp.get<std::string>());
        }
    }
    return stamps;
}

std::optional<Artifact> read_description(const std::filesystem::path& folder, const std::string& description)
{
    const auto json = read_json(folder / description);
    if (!json.is_object()) {
        return std::nullopt;
    }
    try {
        const auto name = json.at("name").get<std::string>();
        return Artifact{
            .name = name.empty() ? name : ArtifactName::parse(name).str(),
            .digest = Digest::parse(json.at("digest").get<std::string>()),
            .folder = folder,
            .size = json.value("size", std::uint64_t{0}),
            .used = json.value("allocated", std::uint64_t{0}),
            .version = json.value("version", std::string{}),
            .origin = json.value("origin", std::string{}),
            .created = json.value("created", std::int64_t{0}),
            .stamps = stamps_in(json),
            .manifest = json.value("manifest", std::string{}),
            .config = json.contains("config") ? std::optional{image_config_of(json["config"])} : std::nullopt,
            .damaged = json.value(damage_mark, false)};
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

}  // namespace

ArtifactCatalog::ArtifactCatalog(std::filesystem::path folder, std::string description)
    : folder_{std::move(folder)}, description_{std::move(description)}
{
    reload();
}

void ArtifactCatalog::reload() const
{
    // Two changes in one tick of the clock have one time, so a time that is not over yet says nothing.
    const auto changed = folder_time(folder_);
    seen_ = is_over(changed) ? changed : 0;
    artifacts_.clear();
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder_, none}) {
        auto artifact = read_description(entry.path(), description_);
        if (artifact && artifact->digest.str() == entry.path().filename()) {
            artifacts_.push_back(std::move(*artifact));
        }
    }
    // A SIGKILL between the taking of a name and its giving leaves two that have it.
    for (auto& artifact : artifacts_) {
        const auto is_newer = [&artifact](const Artifact& other) {
            return other.name == artifact.name &&
                   std::tie(other.created, other.digest) > std::tie(artifact.created, artifact.digest);
        };
        if (std::any_of(artifacts_.begin(), artifacts_.end(), is_newer)) {
            artifact.name.clear();
        }
    }
    std::sort(artifacts_.begin(), artifacts_.end(), [](const Artifact& a, const Artifact& b) {
        return std::tie(a.name, a.digest) < std::tie(b.name, b.digest);
    });
}

void ArtifactCatalog::look_again() const
{
    if (seen_ == 0 || folder_time(folder_) != seen_) {
        reload();
    }
}

std::vector<Artifact> ArtifactCatalog::list() const
{
    look_again();
    return artifacts_;
}

std::optional<Artifact> ArtifactCatalog::find(std::string_view name) const
{
    look_again();
    const auto named = std::find_if(artifacts_.begin(), artifacts_.end(), [name](const Artifact& artifact) {
        return !name.empty() && artifact.name == name;
    });
    if (named != artifacts_.end()) {
        return *named;
    }
    const Artifact* match = nullptr;
    for (const auto& artifact : artifacts_) {
        if (name.size() >= least_digits && artifact.digest.str().starts_with(name)) {
            if (match != nullptr) {
                throw Error{ErrorCode::InvalidArgument, "more than one begins with " + std::string{name}};
            }
            match = &artifact;
        }
    }
    return match != nullptr ? std::optional{*match} : std::nullopt;
}

std::filesystem::path ArtifactCatalog::draft(const std::string& name) const { return folder_ / (draft_prefix + name); }

std::vector<std::filesystem::path> ArtifactCatalog::drafts() const
{
    std::vector<std::filesystem::path> found;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder_, none}) {
        if (entry.path().filename().string().starts_with(draft_prefix)) {
            found.push_back(entry.path());
        }
    }
    return found;
}

void ArtifactCatalog::change(const std::filesystem::path& folder,
                             const std::function<void(nlohmann::json&)>& what) const
{
    const auto path = folder / description_;
    auto json = read_json(path);
    if (!json.is_object()) {
        throw Error{ErrorCode::CorruptData, path.string() + " is damaged"};
    }
    what(json);
    write_whole(path, json);  // whole or not at all, also on a full disk: VMs may use it
}

/// The new one is in its place and has the name before the older one loses it: who is killed in between leaves two of that name, of which the newer
/// one counts. The other way round he would leave none, and what has no name and no user is removed.
Artifact ArtifactCatalog::adopt(const std::filesystem::path& draft, const std::function<bool(const Digest&)>& in_use)
{
    const auto made = read_description(draft, description_);
    if (!made) {
        throw Error{ErrorCode::CorruptData, "the new artifact in " + draft.string() + " has no whole description"};
    }
    const auto before = list();
    try {
        put_in_place(draft, *made);
    } catch (...) {
        reload();  // it may have got as far as the folder
        throw;
    }
    release_draft(draft, folder_ / made->digest.str());
    reload();
    for (const auto& older : before) {
        if (older.name == made->name && older.digest != made->digest) {
            give_way(older, in_use(older.digest));
        }
    }
    reload();
    return find(made->digest.str()).value();
}

void ArtifactCatalog::put_in_place(const std::filesystem::path& draft, const Artifact& made)
{
    const auto place = folder_ / made.digest.str();
    const auto present = read_description(place, description_);
    if (present && !present->name.empty() && present->name != made.name) {
        throw Error{ErrorCode::AlreadyExists, "it is, byte for byte, what " + present->name +
                                                  " is already, and has one name alone; use " + present->name +
                                                  ", or delete that first"};
    }
    if (present && !present->damaged && !changed_file(*present)) {
        // The very same content: what VMs may point to is kept. It is made anew all the same, of what its description says now, and so newer than
        // what had its name until now.
        auto anew = read_json(draft / description_);
        change(place, [&anew](nlohmann::json& json) {
            for (const auto* member : {image_stamp, kernel_stamps}) {  // of the files that are kept
                anew.erase(member);
                if (json.contains(member)) {
                    anew[member] = json[member];
                }
            }
            json = std::move(anew);
        });
        std::filesystem::remove_all(draft);
        return;
    }
    if (::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0) {
        std::filesystem::remove_all(draft);  // one that is damaged
    } else {
        std::filesystem::remove_all(place);
        std::filesystem::rename(draft, place);
    }
}

/// What can't be written (the disk may be full) changes nothing: reload() knows which of two of one name is the newer one.
void ArtifactCatalog::give_way(const Artifact& older, bool is_used)
{
    try {
        if (is_used) {
            change(older.folder, [](nlohmann::json& json) { json["name"] = ""; });
        } else {
            remove(older.digest);
        }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    }
}

std::filesystem::path ArtifactCatalog::set_aside(const Digest& digest)
{
    std::error_code problem;
    auto aside = draft("removed-" + digest.brief());
    std::filesystem::remove_all(aside, problem);  // of one that came and went before
    std::filesystem::rename(folder_ / digest.str(), aside, problem);
    reload();
    if (problem && problem != std::errc::no_such_file_or_directory) {
        throw errno_error("can't remove it from " + folder_.string(), problem.value());
    }
    return aside;
}

std::optional<std::filesystem::path> ArtifactCatalog::set_aside_nameless(const Digest& digest)
{
    reload();  // a name that is given changes no time but the artifact's own
    const auto present = std::find_if(artifacts_.begin(), artifacts_.end(),
                                      [&digest](const Artifact& artifact) { return artifact.digest == digest; });
    if (present != artifacts_.end() && !present->name.empty()) {
        return std::nullopt;
    }
    return set_aside(digest);
}

void ArtifactCatalog::remove(const Digest& digest)
{
    std::error_code problem;
    std::filesystem::remove_all(set_aside(digest), problem);
    if (problem) {
        throw errno_error("can't remove it from " + folder_.string(), problem.value());
    }
}

void ArtifactCatalog::check(const Artifact& artifact) const
{
    const auto name = artifact.name.empty() ? artifact.digest.brief() : artifact.name;
    if (artifact.damaged) {
        throw Error{ErrorCode::CorruptData, "the image " + name +
                                                " is damaged, as banger image verify has found; make it again as it "
                                                "was made, with --force, or drop it: banger image delete " +
                                                name};
    }
    const auto file = changed_file(artifact);
    if (!file) {
        return;
    }
    const bool is_image = artifact.stamps.contains(artifact_file::root_file_system);
    const auto mend = is_image ? "banger image verify " + name +
                                     " reads all of it, and where it is whole that is all that was to be done"
                               : "banger kernel pull --force --name " + name + ", or import, brings one anew";
    throw Error{ErrorCode::CorruptData,
                (is_image ? "the image " : "the kernel ") + name + " is not as it was taken in: " + file->string() +
                    (std::filesystem::exists(*file) ? " has another size or time" : " is gone") + "; " + mend};
}

void ArtifactCatalog::restamp(const Digest& digest)
{
    const auto folder = folder_ / digest.str();
    auto json = read_json(folder / description_);
    if (!json.is_object()) {
        throw Error{ErrorCode::NotFound, "there is no " + digest.brief() + " any more"};
    }
    const auto stamp = stamp_of(folder / artifact_file::root_file_system);
    if (json.value(image_stamp, std::string{}) != stamp || json.contains(damage_mark)) {
        json[image_stamp] = stamp;
        json.erase(damage_mark);
        write_whole(folder / description_, json);
        reload();
    }
}

void ArtifactCatalog::mark_damaged(const Artifact& read)
{
    change(read.folder, [&read](nlohmann::json& json) {
        if (stamps_in(json) == read.stamps) {  // else another one has taken its place since
            json[damage_mark] = true;
        }
    });
    reload();
}

}  // namespace banger::agent
