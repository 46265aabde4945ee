// SPDX-License-Identifier: GPL-2.0-or-later
// The part of ManagerObject that makes images and kernels: what a client asks for, and what the settings give where it doesn't.
#include <algorithm>
#include <array>

#include "agent/core/image/package_list.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/manager_object.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

[[noreturn]] void refuse(const std::string& sentence) { throw banger::Error{ErrorCode::InvalidArgument, sentence}; }

std::filesystem::path absolute_file(const std::string& key, const std::string& text)
{
    if (!text.empty() && text.front() != '/') {
        refuse(key + " must be an absolute path");
    }
    return text;
}

ByteSize checked_image_size(std::uint64_t bytes)
{
    constexpr auto least = 1 * gib;  // Debian's minimum is half of it
    constexpr auto most = std::uint64_t{16} * 1024 * gib;
    const ByteSize size{bytes};
    if (bytes != 0 && (size < least || size > most)) {
        refuse("an image's size must be 1G to 16T, not " + size.to_string());
    }
    return size;
}

/// They become words of a command line.
std::vector<std::string> checked_packages(std::vector<std::string> packages)
{
    for (const auto& package : packages) {
        parse_package(package, "packages");
    }
    return packages;
}

std::string checked_suite(std::string suite)
{
    constexpr std::array known{"bookworm", "trixie", "jammy", "noble"};
    if (!suite.empty() && std::find(known.begin(), known.end(), suite) == known.end()) {
        refuse("suite must be bookworm, trixie, jammy or noble, not " + shown(suite));
    }
    return suite;
}

Remake remake_wanted(const Options& options)
{
    return options.get<bool>("force", false) ? Remake::Always : Remake::Never;
}

std::string name_in(const Options& options, const std::string& usual)
{
    return ArtifactName::parse(options.get<std::string>("name", usual)).str();
}

}  // namespace

ImageRecipe ManagerObject::recipe_of(const Options& options, const Config& config) const
{
    ImageRecipe recipe{
        .name = name_in(options, config.default_image),
        .suite = checked_suite(options.get<std::string>("suite", "")),
        .size = checked_image_size(options.get<std::uint64_t>("size_bytes", 0)),
        .packages = checked_packages(options.get<std::vector<std::string>>("packages", {})),
        .packages_file = absolute_file(
            "packages_file", options.get<std::string>("packages_file", config.default_packages_file.string())),
        .docker = options.get<bool>("docker", false),
        .customize_script =
            absolute_file("customize", options.get<std::string>("customize", config.customize_script.string()))};
    for (const auto& list : options.get<std::vector<std::string>>("more_packages_files", {})) {
        recipe.more_packages_files.push_back(absolute_file("more_packages_files", list));
    }
    const auto base = options.get<std::string>("base", config.default_base_rootfs.string());
    if (base.starts_with('/')) {
        recipe.base = base;
        recipe.base_name = base;
    } else if (!base.empty()) {
        const auto image = agent_->images().find(base);
        if (!image) {
            throw banger::Error{ErrorCode::NotFound, "there is no image \"" + shown(base) +
                                                         "\" to build on; banger image list shows what there is, and "
                                                         "a file is given with its folder: ./" +
                                                         shown(base)};
        }
        agent_->images().check(*image);
        recipe.base = image->folder / artifact_file::root_file_system;
        recipe.base_name = (image->name.empty() ? "" : image->name + "@") + image->digest.brief();
        recipe.base_digest = image->digest.str();
    }
    return recipe;
}

sdbus::ObjectPath ManagerObject::BuildImage(const VariantMap& map)
{
    note_call();
    return answer("BuildImage", [&] {
        const Options options{map,
                              {"name", "suite", "size_bytes", "packages", "packages_file", "more_packages_files",
                               "docker", "base", "customize", "force", "environment"}};
        const auto config = agent_->settings().for_request(options.get<Variables>("environment", {}));
        std::size_t no_recipe = 0;
        for (const auto* key : {"name", "force", "environment"}) {
            no_recipe += static_cast<std::size_t>(options.has(key));
        }
        const bool plain = map.size() == no_recipe;
        const auto name = name_in(options, config.default_image);
        const auto operation = plain && name == config.default_image && !config.default_rootfs.empty()
                                   ? agent_->register_image({.name = name, .origin = {}, .disk = config.default_rootfs},
                                                            remake_wanted(options))
                                   : agent_->build_image(recipe_of(options, config), remake_wanted(options));
        return OperationObject::path_of(operation->id());
    });
}

sdbus::ObjectPath ManagerObject::RegisterImage(const std::string& file, const VariantMap& map)
{
    note_call();
    return answer("RegisterImage", [&] {
        const Options options{map, {"name", "force"}};
        if (file.empty()) {
            refuse("there is no file to register");
        }
        const auto operation = agent_->register_image(
            {.name = name_in(options, ""), .origin = {}, .disk = absolute_file("file", file)}, remake_wanted(options));
        return OperationObject::path_of(operation->id());
    });
}

sdbus::ObjectPath ManagerObject::PromoteVm(const std::string& vm, const VariantMap& map)
{
    note_call();
    return answer("PromoteVm", [&] {
        const Options options{map, {"name", "force", "stop", "keep"}};
        const auto stop = options.get<bool>("stop", false) ? StopFirst::Yes : StopFirst::No;
        const auto refused = options.get<bool>("keep", false) ? WhenRefused::KeepVm : WhenRefused::Leave;
        const auto operation =
            agent_->promote_vm(agent_->vms().get(vm), name_in(options, ""), remake_wanted(options), stop, refused);
        return OperationObject::path_of(operation->id());
    });
}

sdbus::ObjectPath ManagerObject::ImportKernel(const VariantMap& map)
{
    note_call();
    return answer("ImportKernel", [&] {
        const Options options{
            map, {"name", "vmlinuz", "modules", "initrd", "suite", "flavour", "package", "force", "environment"}};
        const bool is_file = options.has("vmlinuz");
        const bool is_package = options.has("suite") || options.has("flavour") || options.has("package");
        if ((is_file && is_package) || (!is_file && (options.has("modules") || options.has("initrd")))) {
            refuse("modules and initrd go with vmlinuz, and suite, flavour and package with none of them");
        }
        if (options.has("flavour") && options.has("package")) {
            refuse("flavour stands for a package; give one of both");
        }
        const auto config = agent_->settings().for_request(options.get<Variables>("environment", {}));
        KernelRecipe recipe{.name = name_in(options, config.default_kernel),
                            .suite = checked_suite(options.get<std::string>("suite", "")),
                            .flavour = options.get<std::string>("flavour", ""),
                            .package = options.get<std::string>("package", "")};
        if (!recipe.flavour.empty() && recipe.flavour != "cloud" && recipe.flavour != "generic") {
            refuse("flavour must be cloud or generic, not " + shown(recipe.flavour));
        }
        if (!recipe.package.empty()) {
            parse_package(recipe.package, "package");
        }
        const bool is_default = !is_package && recipe.name == config.default_kernel;
        if (is_file || (is_default && !config.default_kernel_file.empty())) {
            const auto file_of = [&options](const char* key, const std::filesystem::path& usual) {
                return absolute_file(key, options.get<std::string>(key, usual.string()));
            };
            recipe.vmlinuz = file_of("vmlinuz", config.default_kernel_file);
            recipe.modules = file_of("modules", config.default_modules_dir);
            recipe.initrd = file_of("initrd", config.default_initrd);
        }
        return OperationObject::path_of(agent_->import_kernel(std::move(recipe), remake_wanted(options))->id());
    });
}

}  // namespace banger::agent
