// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/kernel_checks.hpp"

#include <algorithm>
#include <array>
#include <fstream>

#include "agent/core/image/kernel_facts.hpp"
#include "agent/system/image/unpack.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t config_limit = std::size_t{4} << 20U;
constexpr std::size_t initrd_limit = std::size_t{512} << 20U;

/// As initrd.cpp has them with modules.
constexpr std::array needed_parts{
    KernelPart{"virtio_mmio", "CONFIG_VIRTIO_MMIO", "virtio-mmio"},
    KernelPart{"virtio_blk", "CONFIG_VIRTIO_BLK", "virtio_blk"},
    KernelPart{"ext4", "CONFIG_EXT4_FS", "ext4"},
    KernelPart{"virtio_console", "CONFIG_VIRTIO_CONSOLE", "virtio_console"},
    KernelPart{"virtio_net", "CONFIG_VIRTIO_NET", "virtio_net"},
};

std::string unpacked_config(std::span<const std::uint8_t> vmlinux)
{
    const auto packed = kernel_config(vmlinux);
    if (packed.empty()) {
        return "";
    }
    try {
        const auto text = unpack(packed, config_limit, "the kernel's configuration");
        return {text.begin(), text.end()};
    } catch (const Error&) {
        return "";  // then its names must do
    }
}

/// Each kernel says it (linux_banner of init/version.c, in all that Debian has), so this is another program.
[[noreturn]] void refuse_unversioned(const std::string& name)
{
    throw Error{ErrorCode::CorruptData, name + " does not say which version it is; is it a Linux kernel?"};
}

void append_aligned(std::ofstream& target, const std::vector<std::uint8_t>& bytes)
{
    constexpr std::size_t alignment = 4;  // of a cpio's header: init/initramfs.c
    target.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    for (auto at = bytes.size(); at % alignment != 0; ++at) {
        target.put('\0');
    }
}

}  // namespace

KernelSays ask_kernel(std::span<const std::uint8_t> vmlinux)
{
    KernelSays says{.version = kernel_version(vmlinux)};
    const auto config = unpacked_config(vmlinux);
    for (const auto& part : needed_parts) {
        if (!has_built_in(vmlinux, config, part)) {
            says.not_built_in.emplace_back(part.module);
        }
    }
    return says;
}

void check_same_version(const KernelSays& kernel, const std::string& name, const fs::path& modules)
{
    const auto version = modules.filename().string();
    if (!kernel.version) {
        refuse_unversioned(name);
    }
    if (*kernel.version != version) {
        throw Error{ErrorCode::CorruptData, name + " is Linux " + *kernel.version + ", and " + modules.string() +
                                                " has the modules of " + version +
                                                "; give the folder that is named after its own version"};
    }
}

std::string version_without_modules(const KernelSays& kernel, const std::string& name)
{
    std::string lacks;
    for (const auto& part : kernel.not_built_in) {
        lacks += (lacks.empty() ? "" : ", ") + part;
    }
    if (!lacks.empty()) {
        throw Error{ErrorCode::CorruptData, "no VM can boot " + name + " alone: it has not built in " + lacks +
                                                "; give its modules, too: --modules /lib/modules/" +
                                                kernel.version.value_or("VERSION")};
    }
    if (!kernel.version) {
        refuse_unversioned(name);
    }
    return *kernel.version;
}

fs::path make_empty_modules(const fs::path& folder, const std::string& version)
{
    auto modules = folder / version;
    fs::create_directories(modules);
    for (const auto* file : {"modules.dep", "modules.alias", "modules.symbols", "modules.order", "modules.builtin"}) {
        std::ofstream stream{modules / file};
        stream.close();
        if (!stream) {
            throw errno_error("can't write " + (modules / file).string(), errno);
        }
    }
    return modules;
}

void check_initrd(const fs::path& file)
{
    using namespace std::string_view_literals;
    constexpr std::array magics{"07070"sv, "\x1f\x8b"sv, "\xfd\x37zXZ"sv, "\x28\xb5\x2f\xfd"sv, "\x02\x21\x4c\x18"sv,
                                "BZh"sv};
    std::array<char, 6> head{};
    const bool is_file = !fs::exists(file) || fs::is_regular_file(file);  // opening a FIFO would wait for ever
    std::ifstream stream;
    if (is_file) {
        stream.open(file, std::ios::binary);
        if (!stream) {
            throw errno_error("can't read the initrd " + file.string(), errno);
        }
        stream.read(head.data(), head.size());
    }
    const std::string_view begin{head.data(), head.size()};
    if (!is_file || std::none_of(magics.begin(), magics.end(),
                                 [&begin](std::string_view magic) { return begin.starts_with(magic); })) {
        throw Error{ErrorCode::CorruptData, file.string() + " is no initrd: neither a cpio nor a packed one"};
    }
}

void join_initrds(const fs::path& first, const fs::path& own, const fs::path& target)
{
    // As they are: the kernel unpacks one after the other, each packed in its own way or not at all.
    const auto load = [](const fs::path& file) {
        std::error_code problem;
        const auto size = fs::file_size(file, problem);
        if (problem || size > initrd_limit) {
            throw Error{problem ? ErrorCode::NotFound : ErrorCode::CorruptData,
                        file.string() + (problem ? ": " + problem.message() : " is larger than 512 MiB")};
        }
        std::vector<std::uint8_t> bytes(size);
        std::ifstream stream{file, std::ios::binary};
        stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
        if (!stream) {
            throw Error{ErrorCode::Failed, "can't read " + file.string()};
        }
        return bytes;
    };
    std::ofstream stream{target, std::ios::binary};
    append_aligned(stream, load(first));
    append_aligned(stream, load(own));
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + target.string(), errno);
    }
}

}  // namespace banger::agent
