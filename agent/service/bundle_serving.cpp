// SPDX-License-Identifier: GPL-2.0-or-later
// The half of Agent that takes a runtime bundle into use, and makes one.
#include "agent/core/runtime/bundle_contents.hpp"
#include "agent/service/agent.hpp"
#include "agent/service/image_key.hpp"
#include "agent/service/json_log.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/either_stop.hpp"
#include "common/rollback.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto bundled_name = "debian";
constexpr auto bundled_docker_name = "debian-docker";

/// A user's own artifact of that name stays, and so does his own name for the same content; one of another bundle gives way, and one that is damaged.
bool is_wanted(const Artifacts& catalog, const std::string& name, const Digest& digest)
{
    const auto present = catalog.find(name);
    const auto same = catalog.find(digest.str());
    if (same && !same->name.empty() && same->name != name) {
        return false;
    }
    if (present && present->digest == digest) {
        return !Agent::is_unharmed(catalog, *present);
    }
    return !present || present->origin.starts_with(bundle_origin);
}

/// Named by hand: it must be there. Else: where it is there.
std::optional<Artifact> wished(const Artifacts& catalog, const char* what, const std::string& name,
                               const std::string& usual)
{
    auto artifact = catalog.find(name.empty() ? usual : name);
    if (!artifact && !name.empty()) {
        throw Error{ErrorCode::NotFound, std::string{"there is no "} + what + " \"" + shown(name) + "\"; banger " +
                                             what + " list shows what there is"};
    }
    return artifact;
}

std::string version_of(const Artifact& artifact)
{
    constexpr std::size_t longest = 64;
    const auto& text = artifact.version.empty() ? artifact.origin : artifact.version;
    return text.empty() ? "unknown" : shown(text, longest);
}

void add_image(BundleRecipe& recipe, const char* part, const std::optional<Artifact>& image)
{
    if (image) {
        recipe.ingredients.push_back({.part = part,
                                      .file = image->folder / artifact_file::root_file_system,
                                      .version = version_of(*image),
                                      .digest = image->digest});
    }
}

/// A bundle's initrd is made anew where it is taken into use, of what the kernel's package has.
void refuse_initrd_of_users(const Artifact& kernel)
{
    std::error_code none;
    if (std::filesystem::exists(kernel.folder / artifact_file::first_initrd, none)) {
        throw Error{ErrorCode::InvalidArgument,
                    "the kernel " + kernel.name +
                        " was imported with an initrd, and a bundle has no place for that; import it without "
                        "--initrd under another name, and package that one (--kernel)"};
    }
}

void add_kernel(BundleRecipe& recipe, const Artifact& kernel)
{
    refuse_initrd_of_users(kernel);
    const auto version = version_of(kernel);
    recipe.ingredients.push_back(
        {.part = bundle_part::kernel, .file = kernel.folder / artifact_file::kernel, .version = version});
    recipe.ingredients.push_back(
        {.part = bundle_part::boot_modules, .file = kernel.folder / artifact_file::boot_modules, .version = version});
    recipe.ingredients.push_back({.part = bundle_part::initrd,
                                  .file = kernel.folder / artifact_file::initrd,
                                  .version = std::string{"banger "} + BANGER_VERSION});
    recipe.ingredients.push_back(
        {.part = bundle_part::modules, .file = kernel.folder / artifact_file::modules, .version = version});
}

/// Those that are there and whole. Worker thread.
void add_programs(BundleRecipe& recipe, const RuntimePrograms& programs)
{
    for (const auto& row : programs.list()) {
        const bool is_program = row.name == bundle_part::firecracker || row.name == bundle_part::jailer;
        if (is_program && row.state != RuntimeState::Missing && row.state != RuntimeState::Damaged) {
            recipe.ingredients.push_back({.part = row.name, .file = programs.find(row.name), .version = row.version});
        }
    }
}

}  // namespace

Task<void> Agent::take_bundle(std::stop_token stop)
{
    try {
        const auto registered = co_await register_bundle(stop);
        for (const auto& what : registered) {
            json_log::write(json_log::Level::Info, "from the runtime bundle: " + what);
        }
    } catch (const std::exception& failure) {
        if (!stop.stop_requested() && !ending_.stop_requested()) {
            json_log::write(json_log::Level::Warn,
                            std::string{"the runtime bundle can't be taken into use: "} + failure.what());
        }
    }
    if (stop.stop_requested()) {
        throw Error{ErrorCode::Cancelled, "cancelled"};
    }
}

/// In the background: who wants an image meanwhile waits for it (take_bundle()).
Task<void> Agent::take_bundle_at_start()
{
    try {
        auto recover = [&bundles = ports_.bundles] { bundles.recover(); };
        co_await run_on(ports_.loop, work_lane_, std::move(recover));
    } catch (const std::exception& failure) {
        json_log::write(json_log::Level::Warn,
                        std::string{"a fetch that was killed can't be cleared up: "} + failure.what());
    }
    co_await take_bundle({});
}

/// Gives what is new: "image debian", "kernel debian".
Task<std::vector<std::string>> Agent::register_bundle(std::stop_token stop)
{
    const auto guard = co_await registering_.lock();
    auto find = [&bundles = ports_.bundles] { return bundles.find(); };
    const auto bundle = co_await run_on(ports_.loop, work_lane_, std::move(find));
    std::vector<std::string> registered;
    if (!bundle) {
        co_return registered;
    }
    const bool has_rootfs = bundle->contents.find(bundle_part::rootfs) != nullptr;
    const bool has_docker = bundle->contents.find(bundle_part::rootfs_docker) != nullptr;
    const bool kernel = co_await take_kernel(*bundle, stop);
    const std::string name = bundled_name;
    bool image = false;
    if (has_rootfs) {
        image = co_await take_image(*bundle, bundle_part::rootfs, name, stop);
    }
    const std::string docker_name = has_rootfs ? bundled_docker_name : bundled_name;
    bool docker_image = false;
    if (has_docker) {
        docker_image = co_await take_image(*bundle, bundle_part::rootfs_docker, docker_name, stop);
    }
    if (kernel) {
        registered.push_back(std::string{"kernel "} + bundled_name);
    }
    if (image) {
        registered.push_back(std::string{"image "} + bundled_name);
    }
    if (docker_image) {
        registered.push_back("image " + docker_name);
    }
    if (!registered.empty() && artifacts_changed_) {
        artifacts_changed_();
    }
    co_return registered;
}

Task<bool> Agent::take_image(FoundBundle bundle, const char* part, std::string name, std::stop_token stop)
{
    const auto disk = *bundle.contents.find(part);
    if (!is_wanted(ports_.images, name, disk.digest.value())) {
        co_return false;
    }
    const auto key = image_key(name);
    if (!being_made_.insert(key).second) {
        co_return false;  // somebody builds one of that name, which is the one that is wanted
    }
    Rollback unlock;
    unlock.add([this, key] { being_made_.erase(key); });
    const auto draft = ports_.images.draft("bundle-" + name);
    auto make = [&bundles = ports_.bundles, bundle, disk, name, draft, stop, ending = ending_.get_token()] {
        const EitherStop either{stop, ending};
        bundles.make_image(bundle, disk, name, draft, either.token());
    };
    co_await run_on(ports_.loop, making_lane_, std::move(make));
    Rollback no_leftovers;
    no_leftovers.add([&maker = ports_.maker, &draft] { maker.discard(draft); });
    ports_.images.adopt(draft, [](const Digest&) { return true; });
    no_leftovers.commit();
    drop_unused();
    co_return true;
}

Task<bool> Agent::take_kernel(FoundBundle bundle, std::stop_token stop)
{
    const std::string name = bundled_name;
    if (!is_wanted(ports_.kernels, name, ports_.bundles.kernel_digest(bundle))) {
        co_return false;
    }
    const auto key = "kernel " + name;
    if (!being_made_.insert(key).second) {
        co_return false;
    }
    Rollback unlock;
    unlock.add([this, key] { being_made_.erase(key); });
    const auto draft = ports_.kernels.draft("bundle-" + name);
    // The initrd is written anew with this bangerd's own banger-guest.
    auto make = [&bundles = ports_.bundles, &maker = ports_.maker, bundle, name, draft, stop,
                 ending = ending_.get_token()] {
        const EitherStop either{stop, ending};
        bundles.make_kernel(bundle, name, draft, either.token());
        Rollback discard;
        discard.add([&maker, &draft] { maker.discard(draft); });
        maker.refresh_initrd(draft);
        discard.commit();
    };
    co_await run_on(ports_.loop, making_lane_, std::move(make));
    Rollback no_leftovers;
    no_leftovers.add([&maker = ports_.maker, &draft] { maker.discard(draft); });
    const auto kernel = ports_.kernels.adopt(draft, [](const Digest&) { return true; });
    no_leftovers.commit();
    drop_unused();
    probe_in_background(kernel);
    co_return true;
}

/// And what is read for it.
std::pair<BundleRecipe, std::vector<Digest>> Agent::recipe_of(const PackageWish& wish) const
{
    const auto config = ports_.settings.for_request({});
    const bool as_usual = wish.image.empty() && wish.docker_image.empty();
    const auto image = wish.image.empty() && !as_usual
                           ? std::nullopt
                           : wished(ports_.images, "image", wish.image, config.default_image);
    const auto docker_image = wish.docker_image.empty() && !as_usual
                                  ? std::nullopt
                                  : wished(ports_.images, "image", wish.docker_image, bundled_docker_name);
    const auto kernel = wished(ports_.kernels, "kernel", wish.kernel, config.default_kernel);
    if (!kernel) {
        throw Error{ErrorCode::NotFound,
                    "there is no kernel \"" + config.default_kernel + "\" to package; banger kernel import brings one"};
    }
    if (!image && !docker_image) {
        throw Error{ErrorCode::NotFound,
                    "there is no image \"" + config.default_image + "\" to package; banger image build makes it"};
    }
    BundleRecipe recipe{.version = BANGER_VERSION, .ingredients = {}, .output = wish.output, .modified = wish.modified};
    add_kernel(recipe, *kernel);
    add_image(recipe, bundle_part::rootfs, image);
    add_image(recipe, bundle_part::rootfs_docker, docker_image);
    recipe.ingredients.push_back({.part = bundle_part::packages,
                                  .file = config.default_packages_file,
                                  .version = std::string{"banger "} + BANGER_VERSION,
                                  .text = ports_.maker.default_package_list()});
    std::vector<Digest> read{kernel->digest};
    for (const auto& ingredient : recipe.ingredients) {
        if (ingredient.digest) {
            read.push_back(*ingredient.digest);
        }
    }
    return {std::move(recipe), std::move(read)};
}

OperationPtr Agent::package_runtime(PackageWish wish)
{
    auto [recipe, read] = recipe_of(wish);
    if (!being_made_.insert("bundle").second) {
        throw Error{ErrorCode::InUse, "a bundle is being made already; wait for it, or cancel it"};
    }
    auto operation = operations_.add("package-runtime", "bundle");
    std::vector<std::function<void()>> releases;
    for (const auto& digest : read) {
        releases.push_back(hold(digest));
    }
    operation->when_ended([releases] {
        for (const auto& release : releases) {
            release();
        }
    });
    operations_.run(operation, package_runtime(std::move(recipe), operation));
    return operation;
}

Task<void> Agent::package_runtime(BundleRecipe recipe, OperationPtr operation)
{
    Rollback unlock;
    unlock.add([this] { being_made_.erase("bundle"); });
    const auto progress = progress_with_fraction<RuntimeProgress>(ports_.loop, operation);
    auto pack = [&bundles = ports_.bundles, &programs = ports_.programs, recipe, progress] {
        auto whole = recipe;
        add_programs(whole, programs);
        return bundles.package(whole, progress);
    };
    const auto packed = co_await run_on(ports_.loop, making_lane_, std::move(pack));
    std::string parts;
    for (const auto& part : packed.contents.parts) {
        parts += (parts.empty() ? "" : " ") + part.name;
    }
    operation->result() = {{"path", packed.output.string()},
                           {"sha256", packed.sha256 ? packed.sha256->str() : ""},
                           {"size", packed.size},
                           {"parts", parts}};
}

}  // namespace banger::agent
