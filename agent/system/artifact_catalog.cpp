// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/artifact_catalog.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
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

/// Of those files of it that VMs take directly and that a stamp was written of. None was of the first versions.
bool is_unchanged(const Artifact& artifact)
{
    return artifact.stamp.empty() ||
           is_same_stamp(artifact.stamp, stamp_of(artifact.folder / artifact_file::root_file_system));
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
            .stamp = json.value("stamp", std::string{}),
            .manifest = json.value("manifest", std::string{}),
            .config = json.contains("config") ? std::optional{image_config_of(json["config"])} : std::nullopt};
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

void ArtifactCatalog::reload()
{
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

std::optional<Artifact> ArtifactCatalog::find(std::string_view name) const
{
    const Artifact* match = nullptr;
    for (const auto& artifact : artifacts_) {
        if (!name.empty() && artifact.name == name) {
            return artifact;
        }
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

void ArtifactCatalog::rename_artifact(const Artifact& artifact, const std::string& name) const
{
    const auto path = artifact.folder / description_;
    auto json = read_json(path);
    if (!json.is_object()) {
        throw Error{ErrorCode::CorruptData, path.string() + " is damaged"};
    }
    json["name"] = name;
    write_whole(path, json);  // whole or not at all, also on a full disk: VMs may use it
}

Artifact ArtifactCatalog::adopt(const std::filesystem::path& draft, const std::function<bool(const Digest&)>& in_use)
{
    const auto made = read_description(draft, description_);
    if (!made) {
        throw Error{ErrorCode::CorruptData, "the new artifact in " + draft.string() + " has no whole description"};
    }
    for (const auto& older : list()) {
        if (older.name == made->name && older.digest != made->digest) {
            if (in_use(older.digest)) {
                rename_artifact(older, "");
            } else {
                remove(older.digest);
            }
        }
    }
    const auto place = folder_ / made->digest.str();
    const auto present = read_description(place, description_);
    if (present && is_unchanged(*present)) {
        rename_artifact(*present, made->name);
        std::filesystem::remove_all(draft);  // the very same content: keep what VMs may point to
    } else {
        std::filesystem::remove_all(place);  // one that is damaged
        std::filesystem::rename(draft, place);
    }
    reload();
    return find(made->digest.str()).value();
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
    if (is_unchanged(artifact)) {
        return;
    }
    const auto file = artifact.folder / artifact_file::root_file_system;
    const auto name = artifact.name.empty() ? artifact.digest.brief() : artifact.name;
    throw Error{ErrorCode::CorruptData, "the image " + name + " is not as it was taken in: " + file.string() +
                                            (std::filesystem::exists(file) ? " has another size or time" : " is gone") +
                                            "; banger image verify " + name +
                                            " reads all of it, and where it is whole that is all that was to be done"};
}

void ArtifactCatalog::restamp(const Digest& digest)
{
    const auto folder = folder_ / digest.str();
    auto json = read_json(folder / description_);
    if (!json.is_object()) {
        throw Error{ErrorCode::NotFound, "there is no " + digest.brief() + " any more"};
    }
    const auto stamp = stamp_of(folder / artifact_file::root_file_system);
    if (json.value("stamp", std::string{}) != stamp) {
        json["stamp"] = stamp;
        write_whole(folder / description_, json);
        reload();
    }
}

}  // namespace banger::agent
