// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/kernel_parts.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <regex>

#include "agent/core/image/vmlinuz.hpp"
#include "agent/system/image/debian.hpp"
#include "agent/system/image/distribution.hpp"
#include "agent/system/image/kernel_checks.hpp"
#include "agent/system/image/unpack.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kernel_limit = (256 * mib).bytes();

std::string depends_of(const fs::path& package)
{
    std::string depends;
    run_program({.argv = {find_program("dpkg-deb").string(), "-f", package.string(), "Depends"},
                 .on_line = [&depends](std::string_view line) { depends += line; }});
    return depends;
}

/// The names among a Depends line's that begin with `prefix` and a digit, and so belong to one version.
std::vector<std::string> versioned(const std::string& depends, const std::string& prefix)
{
    std::vector<std::string> names;
    const std::regex pattern{prefix + "[0-9][a-z0-9.+~-]*"};
    for (std::sregex_iterator at{depends.begin(), depends.end(), pattern}; at != std::sregex_iterator{}; ++at) {
        names.push_back(at->str());
    }
    return names;
}

/// Fetches a kernel's package, through the one that only stands for it, and those with its modules, where they are apart (Ubuntu; Debian from
/// Linux 6.16 on). The first has the kernel.
std::vector<fs::path> fetch_packages(PackageSource& source, const std::string& asked)
{
    constexpr auto image = "linux-image-";
    auto file = source.fetch(asked);
    auto depends = depends_of(file);
    auto needed = versioned(depends, "linux-modules-extra-");
    const auto real = versioned(depends, image);
    const bool is_real = asked.starts_with(image) && asked.size() > std::string_view{image}.size() &&
                         std::isdigit(static_cast<unsigned char>(asked[std::string_view{image}.size()])) != 0;
    if (!is_real) {
        if (real.empty()) {
            throw Error{ErrorCode::Failed, asked + " depends on no kernel: \"" + depends + "\""};
        }
        file = source.fetch(real.front());
        depends = depends_of(file);
    }
    std::vector<fs::path> files{file};
    for (const auto* prefix : {"linux-modules-", "linux-binary-", "linux-base-"}) {
        const auto more = versioned(depends, prefix);
        needed.insert(needed.end(), more.begin(), more.end());
    }
    for (const auto& package : needed) {
        files.push_back(source.fetch(package));
    }
    return files;
}

/// Old and new packages have lib/modules or usr/lib/modules; depmod and we look in both.
fs::path modules_folder(const fs::path& tree)
{
    if (!fs::exists(tree / "lib")) {
        fs::create_directory_symlink("usr/lib", tree / "lib");
    } else if (!fs::exists(tree / "usr/lib/modules")) {
        fs::create_directories(tree / "usr/lib");
        fs::create_directory_symlink("../../lib/modules", tree / "usr/lib/modules");
    }
    for (const auto& entry : fs::directory_iterator{tree / "lib/modules"}) {
        if (entry.is_directory()) {
            return entry.path();
        }
    }
    throw Error{ErrorCode::Failed, "the kernel package has no modules"};
}

struct TreeSize {
    std::uint64_t bytes{0};
    std::uint64_t files{0};
};

TreeSize size_of(const fs::path& tree)
{
    constexpr std::uint64_t block = 4096;
    TreeSize size;
    for (const auto& entry : fs::recursive_directory_iterator{tree}) {
        ++size.files;
        const auto bytes = entry.is_regular_file() && !entry.is_symlink() ? entry.file_size() : 1;
        size.bytes += (bytes + block - 1) / block * block;
    }
    return size;
}

void write_whole(const fs::path& file, std::span<const std::uint8_t> bytes)
{
    const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    std::size_t done = 0;
    while (fd && done < bytes.size()) {
        const auto written = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (written < 0 && errno != EINTR) {
            break;
        }
        done += written > 0 ? static_cast<std::size_t>(written) : 0;
    }
    if (!fd || done < bytes.size()) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

/// A payload ends with its unpacked size: gzip has it by itself, to the others the kernel's build appends it
/// (arch/x86/boot/compressed/mkpiggy.c, scripts/Makefile.lib: size_append).
std::vector<std::uint8_t> unpack_payload(std::span<const std::uint8_t> payload, const std::string& name)
{
    constexpr std::size_t size_field = 4;
    if (payload.size() <= size_field) {
        throw Error{ErrorCode::CorruptData, name + " has no packed kernel in it"};
    }
    const auto field = payload.last(size_field);
    const auto size = static_cast<std::uint32_t>(field[0]) | static_cast<std::uint32_t>(field[1]) << 8U |
                      static_cast<std::uint32_t>(field[2]) << 16U | static_cast<std::uint32_t>(field[3]) << 24U;
    const bool is_gzip = payload[0] == 0x1f && payload[1] == 0x8b;
    auto elf = unpack(is_gzip ? payload : payload.first(payload.size() - size_field), kernel_limit, name);
    if (elf.size() != size) {
        throw Error{ErrorCode::CorruptData, name + " is damaged: it unpacks to " + std::to_string(elf.size()) +
                                                " bytes, not to the " + std::to_string(size) + " that it says"};
    }
    return elf;
}

}  // namespace

KernelFiles fetch_kernel(const KernelRecipe& recipe, const std::string& suite, const fs::path& scratch,
                         const MakingProgress& progress)
{
    const auto& distribution = distribution_of(suite);
    const bool is_generic = recipe.flavour == "generic";
    const std::string usual{is_generic ? distribution.generic_kernel : distribution.cloud_kernel};
    PackageSource source{suite, scratch, progress};
    const auto packages = fetch_packages(source, recipe.package.empty() ? usual : recipe.package);
    const auto tree = scratch / "tree";
    for (const auto& package : packages) {
        progress.stage("unpacking " + package.filename().string());
        run_step("unpacking " + package.filename().string(),
                 {find_program("dpkg-deb").string(), "-x", package.string(), tree.string()}, scratch / "unpack.log",
                 progress);
    }
    const auto modules = modules_folder(tree);
    const auto version = modules.filename().string();
    // The package leaves modules.dep to its postinst.
    run_step("depmod", {find_program("depmod").string(), "-b", tree.string(), version}, scratch / "depmod.log",
             progress);
    return {.vmlinuz = tree / ("boot/vmlinuz-" + version),
            .modules = modules,
            .version = version,
            .origin = kernel_origin(recipe, suite)};
}

std::string kernel_origin(const KernelRecipe& recipe, const std::string& suite)
{
    return std::string{distribution_of(suite).name} + " " + suite +
           (!recipe.package.empty()       ? " " + recipe.package
            : recipe.flavour == "generic" ? " generic"
                                          : "");
}

KernelFiles local_kernel(const KernelRecipe& recipe)
{
    if (!fs::is_regular_file(recipe.vmlinuz)) {
        throw Error{ErrorCode::NotFound, "there is no kernel " + recipe.vmlinuz.string()};
    }
    if (recipe.modules.empty()) {
        return {.vmlinuz = recipe.vmlinuz, .modules = {}, .version = {}, .origin = "imported"};
    }
    const auto modules = fs::path{recipe.modules / ""}.parent_path();  // without a slash at the end
    if (!fs::is_regular_file(modules / "modules.dep")) {
        throw Error{ErrorCode::NotFound,
                    modules.string() +
                        " has no modules.dep; name the folder /lib/modules/VERSION of that kernel, after depmod"};
    }
    return {
        .vmlinuz = recipe.vmlinuz, .modules = modules, .version = modules.filename().string(), .origin = "imported"};
}

KernelSays write_vmlinux(const fs::path& vmlinuz, const fs::path& vmlinux)
{
    const auto name = vmlinuz.string();
    const auto file = read_file(vmlinuz, kernel_limit);
    const auto payload = find_kernel_payload(file, name);
    if (payload.kind == KernelPayload::Kind::Elf) {
        write_whole(vmlinux, payload.bytes);
        return ask_kernel(payload.bytes);
    }
    const auto elf = unpack_payload(payload.bytes, name);
    check_vmlinux(elf, name);
    write_whole(vmlinux, elf);
    return ask_kernel(elf);
}

void write_modules_disk(const KernelFiles& kernel, const fs::path& disk, const fs::path& log,
                        const MakingProgress& progress)
{
    const auto size = size_of(kernel.modules);
    const auto blocks = (size.bytes + size.bytes / 32 + (4 * mib).bytes()) / 4096;
    run_step(
        "making the modules disk",
        as_namespace_root({find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-L",
                           "modules", "-O", "^has_journal,^resize_inode", "-N", std::to_string(size.files + 64), "-d",
                           kernel.modules.string(), disk.string(), std::to_string(blocks)},
                          IdMap::RootAlone),
        log, progress);
}

}  // namespace banger::agent
