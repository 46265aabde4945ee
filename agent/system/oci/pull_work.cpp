// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/pull_work.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>

#include "agent/ports/artifacts.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/image_record.hpp"
#include "agent/system/image/root_tree.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/oci/archive_unpack.hpp"
#include "agent/system/oci/image_tree.hpp"
#include "agent/system/sha256.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using SourceKind = OciSource::Kind;

constexpr auto layout_folder = "layout";
constexpr auto tree_folder = "tree";
constexpr std::uint64_t bytes_an_inode = std::uint64_t{16} << 10U;  // mke2fs.conf(5): inode_ratio

std::string digest_of_text(std::string_view text)
{
    Sha256 sum;
    sum.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return "sha256:" + sum.finish().str();
}

/// Up to the limit and one byte more, which tells.
std::string read_text(const fs::path& file, std::size_t limit)
{
    std::ifstream stream{file, std::ios::binary};
    std::string text(limit + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (stream.bad() || (text.empty() && !fs::is_regular_file(file))) {
        throw errno_error("can't read " + file.string(), errno != 0 ? errno : EIO);
    }
    return text;
}

}  // namespace

PullWork::PullWork(const PullRecipe& recipe, Places places, const OciPuller::CheckLayers& check,
                   const PullLimits& limits, const PullProgress& progress)
    : recipe_{&recipe},
      places_{std::move(places)},
      check_{&check},
      progress_{&progress},
      draft_{places_.draft},
      skopeo_{draft_.scratch(), places_.log, progress, limits}
{
}

PullOutcome PullWork::run()
{
    find_tools();
    if (!ask()) {
        return PullOutcome::ThereAlready;
    }
    while (!bring()) {
    }
    unpack();
    make_disk();
    draft_.keep();
    return PullOutcome::Made;
}

/// Before a long download, rather than after it.
void PullWork::find_tools() const
{
    for (const auto* name : {"skopeo", "umoci", "mke2fs"}) {
        find_program(name);
    }
    as_namespace_root({}, IdMap::Subordinate);
}

fs::path PullWork::blob(const std::string& digest) const
{
    return places_.blobs / "sha256" / digest.substr(digest.find(':') + 1);
}

bool PullWork::is_there_already() const
{
    return !recipe_->there_already.empty() &&
           recipe_->there_already == ImagePuller::origin_of(recipe_->source, digest_);
}

void PullWork::check_manifest(const std::string& text, const std::string& digest)
{
    if (!digest.empty() && digest_of_text(text) != digest) {
        throw Error{ErrorCode::CorruptData,
                    "can't pull " + recipe_->source.reference + ": its manifest is not that of " + digest};
    }
}

bool PullWork::ask()
{
    const auto& source = recipe_->source;
    if (source.kind == SourceKind::Archive) {
        unpack_archive();
    }
    progress_->stage(source.kind == SourceKind::Registry ? "asking " + source.registry : "reading the image");
    auto text = skopeo_.inspect(source, "");
    check_manifest(text, source.digest);
    digest_ = digest_of_text(text);
    if (is_there_already()) {
        return false;
    }
    auto document = parse_oci_document(text);
    manifest_digest_ = digest_;
    if (const auto* choice = std::get_if<OciChoice>(&document)) {
        manifest_digest_ = choice->digest;
        if (source.kind != SourceKind::Registry) {
            return true;  // skopeo chooses for itself; there is nothing to save
        }
        text = skopeo_.inspect(source, choice->digest);
        check_manifest(text, choice->digest);
        document = parse_oci_document(text);
    }
    if (!std::holds_alternative<OciManifest>(document)) {
        throw Error{ErrorCode::CorruptData, "the image's index leads to another index"};
    }
    expected_ = std::get<OciManifest>(std::move(document));
    if (expected_->packed_size() > recipe_->size.bytes()) {
        throw Error{ErrorCode::CorruptData, "the image has " + ByteSize{expected_->packed_size()}.to_string() +
                                                " packed, more than " + recipe_->size.to_string() +
                                                ", its size; give it more (--size)"};
    }
    return true;
}

void PullWork::unpack_archive()
{
    progress_->stage("unpacking the archive");
    try {
        unpack_oci_archive(recipe_->source.path, draft_.scratch() / unpacked_archive, bounds(), *progress_);
    } catch (const Error& problem) {
        if (problem.code() != ErrorCode::CorruptData) {
            throw;
        }
        throw Error{ErrorCode::CorruptData,
                    "can't pull " + shown(recipe_->source.reference, 256) + ": " + problem.what()};
    }
}

LayerBounds PullWork::bounds() const { return {recipe_->size.bytes(), recipe_->size.bytes() / bytes_an_inode}; }

bool PullWork::bring()
{
    const auto layout = draft_.scratch() / layout_folder;
    fs::remove_all(layout);
    progress_->stage(recipe_->source.kind == SourceKind::Registry ? "downloading" : "reading the layers");
    const bool chosen_here = expected_.has_value() && recipe_->source.kind == SourceKind::Registry;
    skopeo_.copy(recipe_->source, chosen_here ? manifest_digest_ : "", expected_ ? &*expected_ : nullptr,
                 {layout, places_.blobs, recipe_->size.bytes()});
    read_layout();
    return check();
}

std::string PullWork::read_document(const OciDescriptor& descriptor) const
{
    auto text = read_text(blob(descriptor.digest), oci_document_limit);
    if (digest_of_text(text) != descriptor.digest) {
        fs::remove(blob(descriptor.digest));
        throw Error{ErrorCode::CorruptData, "the blob " + descriptor.digest +
                                                " in the cache was damaged, and is removed; pull the image again"};
    }
    return text;
}

void PullWork::read_layout()
{
    const auto text = read_text(draft_.scratch() / layout_folder / "index.json", oci_document_limit);
    const auto index = parse_oci_json(text, "the copy's index");
    const auto digest = index.value(json::json_pointer{"/manifests/0/digest"}, std::string{});
    if (!is_oci_digest(digest)) {
        throw Error{ErrorCode::CorruptData, "the copy's index names no manifest"};
    }
    auto document = parse_oci_document(read_document({.digest = digest, .size = 0}));
    if (!std::holds_alternative<OciManifest>(document)) {
        throw Error{ErrorCode::CorruptData, "the image's index leads to another index"};
    }
    manifest_ = std::get<OciManifest>(std::move(document));
    const auto config = parse_oci_json(read_document(manifest_.config), "the image's configuration");
    check_oci_platform(config);
    config_ = image_config_of_oci(config);
    blobs_ = {digest, manifest_.config.digest};
    for (const auto& layer : manifest_.layers) {
        blobs_.push_back(layer.digest);
    }
}

bool PullWork::check()
{
    progress_->stage("looking through the layers");
    std::vector<LayerFile> layers;
    for (const auto& layer : manifest_.layers) {
        layers.push_back({blob(layer.digest), layer});
    }
    const auto verdict = (*check_)(layers, bounds(), draft_.scratch(), progress_->stop);
    if (verdict.wrong_blob.empty()) {
        return true;
    }
    // It was checked when it came; so the disk, or a power cut, or somebody has changed it since.
    fs::remove(blob(verdict.wrong_blob));
    constexpr int most_tries = 3;
    if (++tries_ >= most_tries) {
        throw Error{ErrorCode::CorruptData, "the blob " + verdict.wrong_blob + " is wrong each time it is brought"};
    }
    return false;
}

void PullWork::unpack()
{
    progress_->stage("unpacking " + std::to_string(manifest_.layers.size()) + " layers");
    const auto scratch = draft_.scratch();
    fs::remove_all(scratch / unpacked_archive);  // what is of use is in the cache
    fs::remove_all(scratch / layout_folder / "blobs");
    fs::create_directory_symlink(places_.blobs, scratch / layout_folder / "blobs");
    // Relative names: a path may have a colon, which for umoci begins a tag.
    auto argv = go_program_bounds(recipe_->size.bytes());
    argv.insert(argv.end(), {find_program("umoci").string(), "raw", "unpack", "--image",
                             std::string{layout_folder} + ":pull", tree_folder});
    const auto result = run_program({.argv = as_namespace_root(std::move(argv), IdMap::Subordinate),
                                     .environment = {"LC_ALL=C.UTF-8", go_memory_goal},
                                     .directory = scratch,
                                     .umask = 0022,  // of folders that no layer tells of
                                     .log = places_.log,
                                     .stop = progress_->stop,
                                     .gentle = true});
    if (!result.ok()) {
        const auto sentence = sentence_of(result.tail);
        const bool full =
            sentence.find("no space left") != std::string::npos || sentence.find("quota exceeded") != std::string::npos;
        throw Error{full ? ErrorCode::NoSpace : ErrorCode::Failed,
                    "unpacking the image failed: " + sentence + " (the log is " + places_.log.string() + ")"};
    }
    const auto tree = scratch / tree_folder;
    finish_pulled_tree(tree, config_);
    config_.systemd = has_systemd(tree);
}

void PullWork::make_disk()
{
    progress_->stage("making the root disk");
    const auto disk = draft_.file(artifact_file::root_file_system);
    write_root_disk(draft_.scratch() / tree_folder, disk, recipe_->size, places_.log, *progress_);
    progress_->stage("computing the digest");
    const auto digest = content_digest(disk, progress_->stop);
    describe_image(draft_.folder(), recipe_->name, ImagePuller::origin_of(recipe_->source, digest_), digest,
                   {{"manifest", manifest_digest_}, {"blobs", blobs_}, {"config", to_json(config_)}});
}

}  // namespace banger::agent
