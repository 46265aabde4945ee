// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/oci_puller.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/oci/pull_work.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

/// The blobs that an image was made of, as its description lists them.
void add_blobs_of(const fs::path& image, std::set<std::string>& names)
{
    std::ifstream file{image / "image.json"};
    const auto description = nlohmann::json::parse(file, nullptr, false);
    if (!description.is_object() || !description.contains("blobs") || !description["blobs"].is_array()) {
        return;
    }
    for (const auto& blob : description["blobs"]) {
        if (blob.is_string()) {
            const auto digest = blob.get<std::string>();
            names.insert(digest.substr(digest.find(':') + 1));
        }
    }
}

}  // namespace

/// LOCK_SH for a pull, LOCK_EX for a prune, of each process that shares the cache; empty where there is none yet, or no such locks. By flock(2), as
/// several pulls of one process have it at once; a child that holds it on until its exec makes somebody try again, and no more.
UniqueFd OciPuller::hold_blobs(int how, const char* refusal) const
{
    UniqueFd folder{::open(cache_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder && ::flock(folder.get(), how | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        throw Error{ErrorCode::InUse, refusal};
    }
    return folder;
}

fs::path OciPuller::fresh_log(const std::string& name) const
{
    fs::create_directories(logs_);
    auto log = logs_ / ("pull-" + name + ".log");
    const std::ofstream emptied{log, std::ios::trunc};
    return log;
}

PullOutcome OciPuller::pull(const PullRecipe& recipe, const fs::path& draft, const PullProgress& progress)
{
    fs::create_directories(cache_);
    const auto hold = hold_blobs(
        LOCK_SH, "another bangerd of yours, which shares the cache, is pruning it; try again when it is done");
    return PullWork{recipe, {draft, cache_, fresh_log(recipe.name)}, check_, limits_, progress}.run();
}

Pruned OciPuller::prune(const PruneRequest& request, const PullProgress& progress)
{
    const auto hold = hold_blobs(
        LOCK_EX, "another bangerd of yours, which shares the cache, is pulling an image; wait for that, or cancel it");
    Pruned pruned;
    progress.stage("removing drafts");
    for (const auto& draft : request.drafts) {
        pruned.drafts += discard_draft(draft) ? 1 : 0;
    }
    progress.stage("removing blobs");
    std::set<std::string> used;
    for (const auto& image : request.images) {
        add_blobs_of(image, used);
    }
    std::vector<fs::path> unused;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{cache_ / "sha256", none}) {
        if (!used.contains(entry.path().filename().string())) {
            unused.push_back(entry.path());
        }
    }
    for (std::size_t i = 0; i < unused.size(); ++i) {
        if (progress.stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        const auto size = fs::file_size(unused[i], none);
        std::error_code problem;
        if (fs::remove(unused[i], problem)) {
            ++pruned.blobs;
            pruned.bytes += none ? 0 : size;
        }
        progress.fraction(static_cast<double>(i + 1) / static_cast<double>(unused.size()));
    }
    return pruned;
}

}  // namespace banger::agent
