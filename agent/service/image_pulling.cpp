// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Agent that pulls OCI images, and of ManagerObject that is asked to.
#include <nlohmann/json.hpp>

#include "agent/service/agent.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/image_key.hpp"
#include "agent/service/manager_object.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

constexpr auto cache_key = "image cache";
constexpr auto usual_pull_size = 16 * gib;

/// What an image's origin begins with, whatever the digest.
std::string undated(const std::string& origin) { return origin.substr(0, origin.rfind("@sha256:")); }

bool is_same(const PullRecipe& one, const PullRecipe& other)
{
    return one.source == other.source && one.size == other.size;
}

}  // namespace

OperationPtr Agent::pull_image(PullRecipe recipe, Remake remake)
{
    const auto at = pulls_.find(recipe.name);
    const bool can_wait = at != pulls_.end() && is_same(at->second.recipe, recipe);
    if (!can_wait && being_made_.contains(image_key(recipe.name))) {
        throw Error{ErrorCode::InUse,
                    "the " + image_key(recipe.name) + " is being made already; wait for it, or cancel it"};
    }
    if (being_made_.contains(cache_key)) {
        throw Error{ErrorCode::InUse, "the cache of image blobs is being pruned; wait for that"};
    }
    auto operation = operations_.add("pull-image", recipe.name);
    operations_.run(operation, pull_in_turn(std::move(recipe), remake, operation));
    return operation;
}

/// What is there by then is there already, or its blobs are: one download for all who ask.
Task<void> Agent::pull_in_turn(PullRecipe recipe, Remake remake, OperationPtr operation)
{
    while (pulls_.contains(recipe.name)) {
        const Promise<Unit> turn;
        pulls_.at(recipe.name).waiting.push_back(turn);
        operation->on_cancel([turn] { turn.set(Unit{}); });
        operation->set_stage("waiting for the same pull by somebody else");
        co_await turn.wait();
        operation->on_cancel({});
        operation->check_cancelled();
        remake = Remake::Never;
    }
    if (!being_made_.insert(image_key(recipe.name)).second) {
        throw Error{ErrorCode::InUse, "the " + image_key(recipe.name) + " is being made by now; try again after that"};
    }
    const auto name = recipe.name;
    pulls_.emplace(name, Pull{recipe});
    Rollback over;
    over.add([this, name] { end_pull(name); });
    co_await pull_now(std::move(recipe), remake, operation);
}

void Agent::end_pull(const std::string& name) noexcept
{
    being_made_.erase(image_key(name));
    const auto ended = pulls_.extract(name);
    for (const auto& waiting : ended.mapped().waiting) {
        waiting.set(Unit{});
    }
}

Task<void> Agent::pull_now(PullRecipe recipe, Remake remake, OperationPtr operation)
{
    const auto present = ports_.images.find(recipe.name);
    const bool is_named = present && present->name == recipe.name;  // and not found by its digest
    if (is_named && remake == Remake::Never) {
        if (undated(present->origin) != recipe.source.reference) {
            throw Error{ErrorCode::AlreadyExists, "the image " + recipe.name + " is " + present->origin +
                                                      "; give the new one another --name, or replace it with --force"};
        }
        recipe.size = recipe.size.bytes() == 0 ? ByteSize{present->size} : recipe.size;
        const bool will_do = recipe.size.bytes() == present->size && is_unharmed(ports_.images, *present);
        recipe.there_already = will_do ? present->origin : "";
    }
    recipe.size = recipe.size.bytes() == 0 ? usual_pull_size : recipe.size;
    const auto draft = ports_.images.draft(recipe.name);
    const auto progress = progress_with_fraction<PullProgress>(ports_.loop, operation);
    auto pull = [&puller = ports_.puller, recipe, draft, progress] { return puller.pull(recipe, draft, progress); };
    const auto outcome = co_await run_on(ports_.loop, pulling_lane_, std::move(pull));
    const bool made = outcome == PullOutcome::Made;
    auto artifact = made ? std::nullopt : ports_.images.find(recipe.name);
    if (!made && !artifact) {
        throw Error{ErrorCode::NotFound, "the image " + recipe.name + " was deleted meanwhile; pull it again"};
    }
    if (made) {
        Rollback no_leftovers;
        no_leftovers.add([&maker = ports_.maker, &draft] { maker.discard(draft); });
        operation->check_cancelled();
        artifact = ports_.images.adopt(draft, [](const Digest&) { return true; });
        no_leftovers.commit();
        co_await seal(artifact->folder);
        drop_unused();
    }
    operation->result() = {{"name", artifact->name},
                           {"digest", artifact->digest.str()},
                           {"origin", artifact->origin},
                           {"manifest", artifact->manifest},
                           {"built", made}};
    if (made && artifacts_changed_) {
        artifacts_changed_();
    }
}

OperationPtr Agent::prune_image_cache(CachedBlobs keep)
{
    if (!pulls_.empty()) {
        throw Error{ErrorCode::InUse,
                    "the image " + pulls_.begin()->first + " is being pulled; wait for it, or cancel it"};
    }
    if (!being_made_.insert(cache_key).second) {
        throw Error{ErrorCode::InUse, "the cache of image blobs is being pruned already"};
    }
    PruneRequest request;
    for (const auto& image : ports_.images.list()) {
        if (keep == CachedBlobs::OfImages) {
            request.images.push_back(image.folder);
        }
    }
    request.drafts = ports_.images.drafts();
    const auto kernels = ports_.kernels.drafts();
    request.drafts.insert(request.drafts.end(), kernels.begin(), kernels.end());
    auto operation = operations_.add("prune-cache", "images");
    operations_.run(operation, prune_now(std::move(request), operation));
    return operation;
}

Task<void> Agent::prune_now(PruneRequest request, OperationPtr operation)
{
    Rollback unlock;
    unlock.add([this] { being_made_.erase(cache_key); });
    const auto progress = progress_with_fraction<PullProgress>(ports_.loop, operation);
    auto prune = [&puller = ports_.puller, request, progress] { return puller.prune(request, progress); };
    const auto pruned = co_await run_on(ports_.loop, pulling_lane_, std::move(prune));
    operation->result() = {{"blobs", pruned.blobs}, {"bytes", pruned.bytes}, {"drafts", pruned.drafts}};
}

sdbus::ObjectPath ManagerObject::PullImage(const VariantMap& map)
{
    note_call();
    return answer("PullImage", [&] {
        const Options options{map, {"source", "name", "size_bytes", "force"}};
        auto source = parse_oci_source(options.get<std::string>("source", ""));
        auto name = options.get<std::string>("name", source.name);
        if (name.empty()) {
            throw banger::Error{ErrorCode::InvalidArgument,
                                "no name for an image can be made of " + source.reference + "; give it a --name"};
        }
        PullRecipe recipe{
            .name = ArtifactName::parse(name).str(), .source = std::move(source), .size = {}, .there_already = {}};
        if (const auto bytes = options.get<std::uint64_t>("size_bytes")) {
            recipe.size = checked_pull_size(*bytes);
        }
        const auto remake = options.get<bool>("force", false) ? Remake::Always : Remake::Never;
        return OperationObject::path_of(agent_->pull_image(std::move(recipe), remake)->id());
    });
}

/// An ext4 of less has no room for its own journal; small images are small here, too.
ByteSize ManagerObject::checked_pull_size(std::uint64_t bytes)
{
    constexpr auto least = 64 * mib;
    constexpr auto most = std::uint64_t{16} * 1024 * gib;
    const ByteSize size{bytes};
    if (size < least || size > most) {
        throw banger::Error{ErrorCode::InvalidArgument,
                            "a pulled image's size must be 64M to 16T, not " + size.to_string()};
    }
    return size;
}

sdbus::ObjectPath ManagerObject::PruneImageCache(const VariantMap& map)
{
    note_call();
    return answer("PruneImageCache", [&] {
        const Options options{map, {"all"}};
        const auto keep = options.get<bool>("all", false) ? CachedBlobs::None : CachedBlobs::OfImages;
        return OperationObject::path_of(agent_->prune_image_cache(keep)->id());
    });
}

}  // namespace banger::agent
