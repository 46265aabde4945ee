// SPDX-License-Identifier: GPL-2.0-or-later
// The half of Agent that makes images and kernels, and the ssh options that need files of both the user and the VM.
#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/service/agent.hpp"
#include "agent/service/banger_program.hpp"
#include "agent/service/json_log.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// ssh reads its tokens in it, then the user's shell the rest.
std::string proxy_word(const std::string& program)
{
    std::string word;
    for (const char c : shell_word(program)) {
        word += c == '%' ? std::string{"%%"} : std::string(1, c);
    }
    return word;
}

/// A bundle with a base for images and none of its own is what a build starts from that names no other. Throws as RuntimeBundles::find().
ImageRecipe on_bundle(ImageRecipe recipe, const RuntimeBundles& bundles, const std::stop_token& stop)
{
    const bool chosen = !recipe.base.empty() || !recipe.suite.empty();
    if (const auto base = chosen ? std::nullopt : bundles.image_base(stop)) {
        recipe.base = *base;
        recipe.base_name = base->string();
    }
    return recipe;
}

}  // namespace

bool Agent::is_unharmed(const Artifacts& catalog, const Artifact& artifact)
{
    try {
        catalog.check(artifact);
    } catch (const Error&) {
        return false;
    }
    return true;
}

void Agent::lock_name(const std::string& key)
{
    if (!being_made_.insert(key).second) {
        throw Error{ErrorCode::InUse, "the " + key + " is being made already; wait for it, or cancel it"};
    }
}

OperationPtr Agent::build_image(ImageRecipe recipe, Remake remake)
{
    auto& maker = ports_.maker;
    const auto& bundles = ports_.bundles;
    const auto release = recipe.base_digest.empty() ? std::function<void()>{} : hold(Digest::parse(recipe.base_digest));
    Rollback unheld;
    unheld.add([&release] {
        if (release) {
            release();
        }
    });
    auto operation = start_making(
        "build-image", {.what = "image",
                        .name = recipe.name,
                        .catalog = &ports_.images,
                        .compare =
                            [&maker, &bundles, recipe](const Artifact& present) {
                                return maker.standing_of(present.folder, on_bundle(recipe, bundles, {}));
                            },
                        .make =
                            [&maker, &bundles, recipe](const auto& draft, const auto& progress) {
                                maker.build_image(on_bundle(recipe, bundles, progress.stop), draft, progress);
                            },
                        .remake = remake});
    unheld.commit();
    if (release && operation->state() == OperationState::Running) {
        operation->when_ended(release);
    } else if (release) {
        release();
    }
    return operation;
}

OperationPtr Agent::import_kernel(KernelRecipe recipe, Remake remake)
{
    auto& maker = ports_.maker;
    const auto origin = !recipe.vmlinuz.empty() ? "imported" : maker.kernel_origin(recipe);
    const bool any = recipe.vmlinuz.empty() && recipe.suite.empty() && recipe.flavour.empty() && recipe.package.empty();
    const bool is_file = !recipe.vmlinuz.empty();
    return start_making(
        "import-kernel",
        {.what = "kernel",
         .name = recipe.name,
         .catalog = &ports_.kernels,
         // A package's kernel is there or not; a file may be another than it was, and reading it costs little.
         .compare =
             [any, is_file, origin](const Artifact& present) {
                 return present.origin != origin && !any ? Standing::Foreign
                        : is_file                        ? Standing::Other
                                                         : Standing::Same;
             },
         .make = [&maker, recipe](const auto& draft,
                                  const auto& progress) { maker.import_kernel(recipe, draft, progress); },
         .remake = remake});
}

OperationPtr Agent::start_making(const std::string& kind, Making making)
{
    lock_name(making.what + " " + making.name);
    auto operation = operations_.add(kind, making.name);
    operations_.run(operation, make_artifact(std::move(making), operation));
    return operation;
}

void Agent::report_artifact(const OperationPtr& operation, const Artifact& artifact, bool built)
{
    operation->result() = {{"name", artifact.name}, {"digest", artifact.digest.str()}, {"built", built}};
    if (!artifact.version.empty()) {
        operation->result()["version"] = artifact.version;
    }
}

/// Throws AlreadyExists for one that is not to be replaced unasked.
Task<bool> Agent::is_there_already(const Making* making, Artifact present)
{
    if (making->remake == Remake::Always) {
        co_return false;
    }
    auto compare = [&call = making->compare, present] { return call(present); };
    const auto standing = co_await run_on(ports_.loop, work_lane_, std::move(compare));
    if (standing == Standing::Foreign) {
        throw Error{ErrorCode::AlreadyExists, "the " + making->what + " " + making->name + " is " + present.origin +
                                                  "; give the new one another --name, or replace it with --force"};
    }
    co_return standing == Standing::Same&& is_unharmed(*making->catalog, present);
}

Task<void> Agent::make_artifact(Making making, OperationPtr operation)
{
    Rollback unlock;
    unlock.add([this, key = making.what + " " + making.name] { being_made_.erase(key); });
    const auto present = making.catalog->find(making.name);
    if (present && present->name == making.name) {
        const bool is_there = co_await is_there_already(&making, *present);
        if (is_there) {
            report_artifact(operation, *present, false);
            co_return;
        }
    }
    co_await make_and_adopt(making.catalog, making.name, making.make, operation);
    if (making.what == "kernel") {
        probe_in_background(making.catalog->find(making.name).value());
    }
}

/// An older one of the name loses it, and goes when nothing uses it.
Task<void> Agent::make_and_adopt(Artifacts* catalog, std::string name, Make make, OperationPtr operation)
{
    const auto draft = catalog->draft(name);
    const auto progress = progress_of(ports_.loop, operation);
    auto make_it = [make = std::move(make), draft, progress] { make(draft, progress); };
    co_await run_on(ports_.loop, making_lane_, std::move(make_it));
    Rollback no_leftovers;
    no_leftovers.add([&maker = ports_.maker, &draft] { maker.discard(draft); });
    operation->check_cancelled();
    const auto artifact = catalog->adopt(draft, [](const Digest&) { return true; });
    no_leftovers.commit();
    co_await seal(artifact.folder);
    report_artifact(operation, artifact, true);
    drop_unused();
    if (artifacts_changed_) {
        artifacts_changed_();
    }
}

/// Not on the loop: a disk that is written to by others takes its time.
Task<void> Agent::seal(std::filesystem::path artifact)
{
    auto work = [&maker = ports_.maker, artifact] { maker.seal(artifact); };
    co_await run_on(ports_.loop, work_lane_, std::move(work));
}

/// So that the first VM needn't wait for the verdict on KVM.
void Agent::probe_in_background(const Artifact& kernel)
{
    spawn(ports_.ladder.look_ahead(kernel), [](std::exception_ptr failure) {
        if (failure) {
            json_log::write(json_log::Level::Warn, std::string{"the KVM probe failed: "} + to_error(failure).what());
        }
    });
}

Task<std::vector<std::pair<std::string, std::string>>> Agent::ssh_options(VmPtr vm)
{
    auto find_key = [&user = ports_.key] { return user.private_key(); };
    const auto key = co_await run_on(ports_.loop, work_lane_, std::move(find_key));
    const auto answer = co_await VmManager::link(vm).query("ssh-host-keys", {});
    // From the guest itself over its own channel: no trust on first use, and no old key haunts a new VM.
    const auto known_hosts = vm->folder / "known_hosts";
    const auto alias = vm->name() + ".vm";
    std::string lines;
    for (const auto& line : answer.value("keys", std::vector<std::string>{})) {
        if (line.find('\n') == std::string::npos && line.starts_with("ssh-")) {
            lines.append(alias).append(" ").append(line).append("\n");
        }
    }
    auto write_hosts = [known_hosts, lines] { write_text_whole(known_hosts, lines); };
    co_await run_on(ports_.loop, work_lane_, std::move(write_hosts));
    co_return std::vector<std::pair<std::string, std::string>>{
        {"IdentityFile", key.string()},
        {"IdentitiesOnly", "yes"},
        {"UserKnownHostsFile", known_hosts.string()},
        {"GlobalKnownHostsFile", "/dev/null"},
        {"StrictHostKeyChecking", "yes"},
        {"HostKeyAlias", alias},
        {"User", "root"},
        {"ProxyCommand", proxy_word(banger_program()) + " internal connect " + vm->name() + " 22"},
        {"ProxyUseFdpass", "yes"},
        // ssh asks a master before it looks at any of the above, and a `Host *` of the user's may give a real host of this name the same socket.
        {"ControlPath", "none"},
        {"ForwardAgent", "no"},
        {"LogLevel", "ERROR"},
    };
}

}  // namespace banger::agent
