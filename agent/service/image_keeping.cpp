// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Agent that keeps images: of files and VMs, whole, and no longer than somebody needs them.
#include <utility>

#include "agent/service/agent.hpp"
#include "agent/service/image_key.hpp"
#include "agent/service/json_log.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

std::string comma_separated(const std::vector<std::string>& names)
{
    std::string text;
    for (const auto& name : names) {
        text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

/// No coroutine: it throws where it is called.
Task<void> throw_refusal(const Error& refusal) { throw Error{refusal}; }

}  // namespace

OperationPtr Agent::register_image(DiskSource source, Remake remake)
{
    auto& maker = ports_.maker;
    source.origin = "file " + source.disk.filename().string();
    return start_making("register-image",
                        {.what = "image",
                         .name = source.name,
                         .catalog = &ports_.images,
                         .compare =
                             [&maker, source](const Artifact& present) {
                                 return maker.is_copy_of(present.folder, source) ? Standing::Same : Standing::Foreign;
                             },
                         .make = [&maker, source](const auto& draft,
                                                  const auto& progress) { maker.take_file(source, draft, progress); },
                         .remake = remake});
}

OperationPtr Agent::promote_vm(VmPtr vm, const std::string& name, Remake remake, StopFirst stop, WhenRefused refused)
{
    VmManager::check_lendable(vm, stop);
    try {
        claim_for_promotion(name, remake);
    } catch (const Error& refusal) {
        if (refused == WhenRefused::Leave || vm->record.spec.on_stop == StopPolicy::Keep) {
            throw;
        }
        auto operation = operations_.add("promote-vm", name);
        operations_.run(operation, refuse_and_keep(std::move(vm), refusal, stop, operation));
        return operation;
    }
    const auto& spec = vm->record.spec;
    DiskSource source{
        .name = name, .origin = "VM " + vm->name() + " of " + spec.image + "@" + spec.image_digest.brief(), .disk = {}};
    if (const auto parent = ports_.images.find(spec.image_digest.str())) {
        source.parent = parent->folder;
    }
    auto operation = operations_.add("promote-vm", name);
    operations_.run(operation, promote(std::move(vm), std::move(source), stop, operation));
    return operation;
}

void Agent::claim_for_promotion(const std::string& name, Remake remake)
{
    const auto present = ports_.images.find(name);
    if (present && present->name == name && remake == Remake::Never) {
        throw Error{ErrorCode::AlreadyExists, "the image " + name + " is " + present->origin +
                                                  "; give the new one another --name, or replace it with --force"};
    }
    lock_name(image_key(name));
}

/// As any failure of a promotion: the VM is stopped in order first, and the error names what promotes it under another name.
Task<void> Agent::refuse_and_keep(VmPtr vm, Error refusal, StopFirst stop, OperationPtr operation)
{
    RootUse use = [refusal](const std::filesystem::path&) { return throw_refusal(refusal); };
    co_await vms_->lend_root(vm, operation, stop, std::move(use));
}

Task<void> Agent::promote(VmPtr vm, DiskSource source, StopFirst stop, OperationPtr operation)
{
    Rollback unlock;
    unlock.add([this, key = image_key(source.name)] { being_made_.erase(key); });
    RootUse use = [this, source, operation](std::filesystem::path disk) {
        return take_disk(source, std::move(disk), operation);
    };
    const bool clean = co_await vms_->lend_root(vm, operation, stop, std::move(use));
    operation->result()["clean"] = clean;
}

Task<void> Agent::take_disk(DiskSource source, std::filesystem::path disk, OperationPtr operation)
{
    source.disk = std::move(disk);
    Make make = [&maker = ports_.maker, source](const auto& draft, const auto& progress) {
        maker.take_disk(source, draft, progress);
    };
    co_await make_and_adopt(&ports_.images, source.name, std::move(make), operation);
}

OperationPtr Agent::verify_image(const Artifact& known)
{
    const auto image = ports_.images.find(known.digest.str()).value_or(known);  // it may have been made anew since
    auto operation = operations_.add("verify-image", image.name.empty() ? image.digest.brief() : image.name);
    operation->when_ended(hold(image.digest));
    operations_.run(operation, verify(image, operation));
    return operation;
}

Task<void> Agent::verify(Artifact image, OperationPtr operation)
{
    const auto progress = progress_of(ports_.loop, operation);
    auto look = [&maker = ports_.maker, image, progress] {
        return maker.is_whole(image.folder, image.digest, progress);
    };
    const bool whole = co_await run_on(ports_.loop, making_lane_, std::move(look));
    const auto name = operation->target();
    if (!whole) {
        mark_damaged(image);
        throw Error{ErrorCode::CorruptData, "the image " + name +
                                                " is damaged: its content is not what its digest says; make it again "
                                                "as it was made, with --force, or drop it: banger image delete " +
                                                name};
    }
    ports_.images.restamp(image.digest);
    operation->result() = {{"name", name}, {"digest", image.digest.str()}};
}

/// Else VMs would go on to be made of it, and the same content, made again, would be dropped as it seems to be there.
void Agent::mark_damaged(const Artifact& image)
{
    try {
        ports_.images.mark_damaged(image);
    } catch (const Error& problem) {
        json_log::write(json_log::Level::Warn, std::string{"the damage can't be noted: "} + problem.what());
    }
}

std::function<void()> Agent::hold(const Digest& digest)
{
    held_.insert(digest.str());
    return [this, key = digest.str()] {
        if (const auto at = held_.find(key); at != held_.end()) {
            held_.erase(at);
        }
        ports_.loop.post([this] { drop_unused(); });
    };
}

void Agent::refuse_deletion(const char* what, const Artifact& artifact, const std::vector<std::string>& users) const
{
    const auto name = artifact.name.empty() ? artifact.digest.brief() : artifact.name;
    const auto subject = std::string{"the "} + what + " " + name;
    if (!users.empty()) {
        throw Error{ErrorCode::InUse,
                    subject + " is used by " + comma_separated(users) + "; delete those VMs first (banger vm delete)"};
    }
    if (const auto others = cache_users_.others_of(artifact.digest); !others.empty()) {
        throw Error{ErrorCode::InUse, subject + " is used by VMs of " + comma_separated(others) + ", which shares " +
                                          paths_.cache.string() +
                                          "; delete those VMs first (XDG_STATE_HOME says whose)"};
    }
    if (being_made_.contains(std::string{what} + " " + artifact.name)) {
        throw Error{ErrorCode::InUse, subject + " is being made anew; wait for that to end, or cancel it"};
    }
    if (held_.contains(artifact.digest.str())) {
        throw Error{ErrorCode::InUse,
                    subject +
                        " is being read, by a build, a verification or a bundle; wait for that to end, "
                        "or cancel it"};
    }
}

void Agent::delete_image(const Artifact& image)
{
    refuse_deletion("image", image, users_of_image(image.digest));
    discard_later(ports_.images.set_aside(image.digest));
}

void Agent::delete_kernel(const Artifact& kernel)
{
    refuse_deletion("kernel", kernel, users_of_kernel(kernel.digest));
    discard_later(ports_.kernels.set_aside(kernel.digest));
}

/// Some hundred MiB take the kernel longer to free than the loop may stand still.
void Agent::discard_later(std::filesystem::path aside)
{
    auto& maker = ports_.maker;
    if (!making_lane_.submit([&maker, aside] { maker.discard(aside); })) {
        json_log::write(json_log::Level::Warn, aside.string() + " goes with bangerd's next start");
    }
}

/// By the lane of rows, so before the row of a VM that is made. Not before all VMs are known, or those that aren't would seem to use nothing.
void Agent::note_cache_use()
{
    if (!recovered_) {
        return;
    }
    std::set<std::string> digests;
    for (const auto& vm : vms_->list()) {
        digests.insert({vm->record.spec.image_digest.str(), vm->record.spec.kernel_digest.str()});
    }
    if (digests == noted_use_) {
        return;
    }
    auto write = [this, users = cache_users_, digests] {
        std::string problem;
        try {
            users.write(digests);
        } catch (const std::exception& failure) {
            problem = failure.what();
        }
        ports_.loop.post([this, problem] { cache_use_written(problem); });
    };
    if (store_lane_.submit(std::move(write))) {
        noted_use_ = std::move(digests);
    }
}

/// `problem`: empty where there is none. What is not written is tried again with the next change or housekeeping.
void Agent::cache_use_written(const std::string& problem)
{
    if (!problem.empty()) {
        noted_use_.reset();
    }
    if (std::exchange(unwritten_use_, problem) != problem && !problem.empty()) {
        json_log::write(json_log::Level::Warn, "other state folders don't learn what VMs use of the cache: " + problem);
    }
}

bool Agent::is_used_elsewhere(const Digest& digest) const { return !cache_users_.others_of(digest).empty(); }

/// What lost its name to a newer one is kept for those who use it, and for nobody else.
void Agent::drop_unused()
{
    if (!recovered_) {
        return;
    }
    bool changed = false;
    const auto sweep = [&](Artifacts& catalog, auto&& users) {
        for (const auto& artifact : catalog.list()) {
            if (!artifact.name.empty() || held_.contains(artifact.digest.str()) || !users(artifact.digest).empty() ||
                is_used_elsewhere(artifact.digest)) {
                continue;
            }
            try {
                if (const auto aside = catalog.set_aside_nameless(artifact.digest)) {
                    discard_later(*aside);
                    changed = true;
                }
            } catch (const Error& problem) {
                json_log::write(json_log::Level::Warn, std::string{"an unused image stays: "} + problem.what());
            }
        }
    };
    sweep(ports_.images, [this](const Digest& digest) { return users_of_image(digest); });
    sweep(ports_.kernels, [this](const Digest& digest) { return users_of_kernel(digest); });
    if (changed && artifacts_changed_) {
        artifacts_changed_();
    }
}

}  // namespace banger::agent
