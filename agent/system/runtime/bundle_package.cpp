// SPDX-License-Identifier: GPL-2.0-or-later
// The half of BundleHome that makes a bundle of what is here.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/runtime/bundle_home.hpp"
#include "agent/system/runtime/bundle_pack.hpp"
#include "agent/system/runtime/bundle_publish.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

void write_text(const fs::path& file, const std::string& text)
{
    std::ofstream stream{file, std::ios::binary};
    stream << text;
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

void make_parent(const fs::path& output)
{
    std::error_code problem;
    fs::create_directories(output.parent_path(), problem);
    if (problem) {
        throw errno_error("can't make the folder " + output.parent_path().string(), problem.value());
    }
}

/// For others to fetch, so anybody may read it.
Digest write_archive(const fs::path& output, const std::vector<PackedPart>& parts, const std::string& description,
                     std::int64_t modified, const RuntimeProgress& progress)
{
    make_parent(output);
    const auto draft = output.parent_path() / ("." + output.filename().string() + ".new");
    ::unlink(draft.c_str());  // of one that was killed; a file of somebody else's is not written to
    const UniqueFd file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!file) {
        throw errno_error("can't make " + output.string(), errno);
    }
    Rollback remove;
    remove.add([&draft] { ::unlink(draft.c_str()); });
    auto digest = write_bundle_archive(file.get(), parts, description, modified, progress);
    if (::fchmod(file.get(), 0644) < 0 || ::fsync(file.get()) < 0 || ::rename(draft.c_str(), output.c_str()) < 0) {
        throw errno_error("can't write " + output.string(), errno);
    }
    remove.commit();
    sync_to_disk(output.parent_path());
    return digest;
}

/// Other people's .next and .new are theirs (a web project may have a .next), so nothing is put beside what is no bundle's.
void refuse_folder_of_others(const fs::path& folder)
{
    std::error_code problem;
    if (fs::exists(folder / bundle_description, problem) || fs::exists(folder / bundle_lock, problem)) {
        return;
    }
    const fs::directory_iterator first{folder, problem};
    if (!problem && first != fs::directory_iterator{}) {
        throw Error{ErrorCode::InvalidArgument, folder.string() +
                                                    " is no bundle and has other things in it; name an empty folder, "
                                                    "or one that is not there yet"};
    }
}

void write_folder(const fs::path& folder, const std::vector<PackedPart>& parts, const std::string& description,
                  const RuntimeProgress& progress)
{
    refuse_folder_of_others(folder);
    make_parent(folder);
    make_private_folder(folder);
    const RuntimeLock lock{folder};
    const auto draft = folder / ".new";
    fs::remove_all(draft);
    finish_publishing(folder);
    make_private_folder(draft);
    Rollback clear;
    clear.add([&draft] { fs::remove_all(draft); });
    progress.stage("copying");
    for (const auto& packed : parts) {
        const auto file = draft / packed.part.file;
        if (packed.file.empty()) {
            write_text(file, packed.text);
        } else {
            clone_or_copy(packed.file, file, progress.stop);
        }
    }
    write_text(draft / bundle_description, description);
    publish_bundle(folder, draft);
}

}  // namespace

PackedBundle BundleHome::package(const BundleRecipe& recipe, const RuntimeProgress& progress)
{
    const auto parts = measure_ingredients(recipe, progress);
    PackedBundle packed{
        .output = recipe.output, .sha256 = {}, .size = 0, .contents = contents_of(recipe.version, parts)};
    const auto description = to_text(packed.contents);
    parse_bundle_contents(description, bundle_description);  // what we make we must be able to read
    std::error_code none;
    const bool is_folder = recipe.output.filename().empty() || fs::is_directory(recipe.output, none);
    if (!is_folder) {
        packed.sha256 = write_archive(recipe.output, parts, description, recipe.modified, progress);
        packed.size = allocated_bytes(recipe.output);
        return packed;
    }
    packed.output = recipe.output.filename().empty() ? recipe.output.parent_path() : recipe.output;
    write_folder(packed.output, parts, description, progress);
    for (const auto& part : packed.contents.parts) {
        packed.size += allocated_bytes(packed.output / part.file);
    }
    remember(packed.output, [](BundleStamps& stamps) {
        stamps = {.origin = "packaged here"};  // and read again when it is used
    });
    return packed;
}

}  // namespace banger::agent
