// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/agent/system/runtime/bundle_maker.hpp"

#include <fstream>
#include <iterator>

namespace banger::agent::test {

BundleMaker::BundleMaker(std::filesystem::path folder) : folder_{std::move(folder)}
{
    std::filesystem::create_directories(folder_);
    for (const auto* name : {"firecracker", "jailer", "vmlinux", "boot-modules.cpio", "initrd"}) {
        write(name, std::string{"the "} + name);
    }
    for (const auto* name : {"modules.ext4", "rootfs.ext4"}) {
        const auto file = folder_ / name;
        write(name, std::string(70'000, 'b') + name);
        std::filesystem::resize_file(file, 1'000'000);
        std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
        stream.seekp(600'000);
        stream << "behind a hole";
    }
}

void BundleMaker::write(const std::string& name, const std::string& content) const
{
    std::ofstream{folder_ / name, std::ios::binary} << content;
}

BundleRecipe BundleMaker::recipe(const std::filesystem::path& output) const
{
    const auto file = [this](const char* part, const char* name) {
        return BundleIngredient{.part = part, .file = folder_ / name, .version = "1.0"};
    };
    return {.version = "0.1",
            .ingredients = {file(bundle_part::firecracker, "firecracker"),
                            file(bundle_part::jailer, "jailer"),
                            file(bundle_part::kernel, "vmlinux"),
                            file(bundle_part::boot_modules, "boot-modules.cpio"),
                            file(bundle_part::initrd, "initrd"),
                            file(bundle_part::modules, "modules.ext4"),
                            file(bundle_part::rootfs, "rootfs.ext4"),
                            {.part = bundle_part::packages, .file = {}, .version = "1.0", .text = "# none\n"}},
            .output = output,
            .modified = 0};
}

PackedBundle BundleMaker::make(const std::filesystem::path& output) const
{
    BundleHome home{{.own = [] { return std::filesystem::path{"/nonexistent"}; },
                     .given = [] { return std::vector<std::filesystem::path>{}; },
                     .stamps = folder_ / "stamps.json"}};
    return home.package(recipe(output), no_progress());
}

RuntimeProgress no_progress()
{
    return {.stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = {}};
}

std::string content_of(const std::filesystem::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

}  // namespace banger::agent::test
