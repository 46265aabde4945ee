// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/creation.hpp"

#include "cli/connect/environment.hpp"
#include "cli/view/output.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <tuple>
#include <utility>

#include <sys/socket.h>

namespace banger::cli {
namespace {

constexpr auto kernel_of_a_file = "default";  // banger.toml(5)

/// Whether `find` knows it.
template <typename Find>
bool is_there(Find&& find)
{
    try {
        translated(find);
        return true;
    } catch (const Error& error) {
        if (error.code() == ErrorCode::NotFound) {
            return false;
        }
        throw;
    }
}

}  // namespace

Lease make_lease()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        throw errno_error("no socket pair", errno);
    }
    return {UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

std::string text_of(const VariantMap& result, const std::string& key)
{
    const auto at = result.find(key);
    return at != result.end() && at->second.containsValueOfType<std::string>() ? at->second.get<std::string>()
                                                                               : std::string{};
}

std::optional<std::string> configured_value(ManagerProxy& manager, const std::string& key)
{
    const auto values = std::get<0>(translated([&] { return manager.GetConfig(settings_environment()); }));
    for (const auto& row : values) {
        if (row.get<0>() == key) {
            auto value = row.get<1>();
            std::erase(value, '"');
            return value;
        }
    }
    return std::nullopt;
}

VariantMap Creation::watch(const std::string& target, const std::string& operation)
{
    OperationWatch watch{*agent_, *signals_, *progress_};
    watch.add(target, operation);
    auto outcome = std::move(watch.wait().front());
    if (outcome.error) {
        if (watch.interrupted()) {
            throw Interrupted{*watch.interrupted()};
        }
        throw Error{*outcome.error};
    }
    if (watch.interrupted()) {  // too late to cancel: it had just ended
        throw Interrupted{*watch.interrupted()};
    }
    return std::move(outcome.result);
}

void Creation::make_defaults(const CreateOptions& options, const Error& missing)
{
    auto& manager = agent_->manager();
    const auto has_kernel = [&manager](const std::string& name) {
        return is_there([&] { return manager.FindKernel(name); });
    };
    const auto has_image = [&manager](const std::string& name) {
        return is_there([&] { return manager.FindImage(name); });
    };
    auto usual_kernel = configured_value(manager, "default_kernel").value_or("debian");
    VariantMap kernel_recipe;
    if (usual_kernel.starts_with('/')) {
        kernel_recipe.emplace("vmlinuz", sdbus::Variant{std::exchange(usual_kernel, kernel_of_a_file)});
    }
    kernel_recipe.emplace("name", sdbus::Variant{usual_kernel});
    put_settings(kernel_recipe);
    const auto usual_image = configured_value(manager, "default_image").value_or("debian");
    const bool lacks_kernel = !has_kernel(options.kernel.value_or(usual_kernel));
    const bool lacks_image = !has_image(options.image.value_or(usual_image));
    const bool others_are_there = (!lacks_kernel || options.kernel.value_or(usual_kernel) == usual_kernel) &&
                                  (!lacks_image || options.image.value_or(usual_image) == usual_image);
    if (!others_are_there || (!lacks_kernel && !lacks_image)) {
        throw missing;
    }
    progress_->pause();
    remark(std::string{"making the default "} +
           (lacks_kernel && lacks_image ? "kernel and image"
            : lacks_kernel              ? "kernel"
                                        : "image") +
           ", once for all VMs; this takes some minutes");
    if (lacks_kernel) {
        watch("kernel " + usual_kernel, translated([&] { return manager.ImportKernel(kernel_recipe); }));
    }
    if (lacks_image) {
        VariantMap image_recipe{{"name", sdbus::Variant{usual_image}}};
        put_settings(image_recipe);
        watch("image " + usual_image, translated([&] { return manager.BuildImage(image_recipe); }));
    }
}

std::pair<std::string, std::string> Creation::call(const VariantMap& map)
{
    const auto [vm, operation] = translated([&] { return agent_->manager().CreateVm(map); });
    return {vm, operation};
}

Created Creation::run(const CreateOptions& options, const VariantMap& map)
{
    std::pair<std::string, std::string> paths;
    try {
        paths = call(map);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::NotFound || options.no_build || options.dry_run) {
            throw;
        }
        make_defaults(options, error);
        paths = call(map);
    }
    const auto& [path, operation] = paths;
    if (path != "/") {
        path_ = path;
    }
    const auto result = watch("", operation);
    return {path, text_of(result, "name"), text_of(result, "id"), text_of(result, "plan")};
}

}  // namespace banger::cli
