// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/initrd.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <libkmod.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <span>

#include "agent/system/image/unpack.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t module_limit = std::size_t{64} << 20U;
constexpr std::size_t boot_modules_limit = std::size_t{256} << 20U;

enum class Need { Must, Helps };
struct Wanted {
    const char* name;
    Need need;  ///< Helps: some kernels are built without it, and boot all the same
};

/// Why each: what stands before the root file system and the channel; all else comes from the modules disk.
constexpr std::array wanted{
    Wanted{"virtio_mmio", Need::Must},  // every device of both VMMs
    Wanted{"virtio_blk", Need::Must},   // root, work and modules disk
    Wanted{"ext4", Need::Must},
    Wanted{"virtio_console", Need::Must},               // the channel on QEMU
    Wanted{"vmw_vsock_virtio_transport", Need::Helps},  // the channel on Firecracker
    Wanted{"virtio_net", Need::Must},
    Wanted{"virtio_rng", Need::Helps},      // entropy before the first key is made
    Wanted{"virtio_balloon", Need::Helps},  // gives memory back
    Wanted{"crc32c_intel", Need::Helps},    // ext4's checksums, several times as fast
    Wanted{"virtio_pci", Need::Helps},
};

class ModulePlan {
public:
    explicit ModulePlan(const std::filesystem::path& modules) : context_{kmod_new(modules.c_str(), no_config)}
    {
        if (!context_) {
            throw Error{ErrorCode::CorruptData, "the modules in " + modules.string() + " can't be read"};
        }
    }

    void add(const Wanted& module)
    {
        kmod_list* found = nullptr;
        kmod_module_new_from_lookup(context_.get(), module.name, &found);
        const c_ptr<kmod_list, kmod_module_unref_list> matches{found};
        if (found == nullptr && module.need == Need::Must) {
            throw Error{ErrorCode::CorruptData,
                        std::string{"this kernel has no "} + module.name + ", so no VM can boot it"};
        }
        kmod_list* entry = nullptr;
        kmod_list_foreach(entry, found)
        {
            const c_ptr<kmod_module, kmod_module_unref> handle{kmod_module_get_module(entry)};
            add_with_dependencies(handle.get());
        }
    }

    std::vector<std::filesystem::path> take() { return std::move(paths_); }

private:
    void add_with_dependencies(kmod_module* module)
    {
        kmod_list* before = nullptr;
        kmod_list* after = nullptr;
        if (kmod_module_get_softdeps(module, &before, &after) == 0) {
            add_list(before);
        }
        const c_ptr<kmod_list, kmod_module_unref_list> soft_before{before};
        const c_ptr<kmod_list, kmod_module_unref_list> soft_after{after};
        // modules.dep has them nearest first, so the farthest must load first.
        const c_ptr<kmod_list, kmod_module_unref_list> dependencies{kmod_module_get_dependencies(module)};
        add_list(dependencies.get());
        add_path(module);
    }

    void add_list(kmod_list* list)
    {
        kmod_list* entry = nullptr;
        kmod_list_foreach(entry, list)
        {
            const c_ptr<kmod_module, kmod_module_unref> handle{kmod_module_get_module(entry)};
            const char* path = kmod_module_get_path(handle.get());
            const bool known = path == nullptr || std::find(paths_.begin(), paths_.end(), path) != paths_.end();
            if (!known) {
                add_with_dependencies(handle.get());
            }
        }
    }

    void add_path(kmod_module* module)
    {
        const char* path = kmod_module_get_path(module);  // null: built in
        if (path != nullptr && std::find(paths_.begin(), paths_.end(), path) == paths_.end()) {
            paths_.emplace_back(path);
        }
    }

    // the host's /etc/modprobe.d is no business of the guest's
    static constexpr const char* const no_config[] = {nullptr};
    c_ptr<kmod_ctx, kmod_unref> context_;
    std::vector<std::filesystem::path> paths_;
};

class CpioWriter {
public:
    explicit CpioWriter(const std::filesystem::path& file) : file_{file}, writer_{archive_write_new()}
    {
        archive_write_set_format_cpio_newc(writer_.get());
        archive_write_add_filter_none(writer_.get());
        check(archive_write_open_filename(writer_.get(), file.c_str()));
    }

    void directory(const std::string& path) { header(path, S_IFDIR | 0755U, 0); }
    void file(const std::string& path, unsigned mode, std::span<const std::uint8_t> content)
    {
        header(path, S_IFREG | mode, content.size());
        if (archive_write_data(writer_.get(), content.data(), content.size()) !=
            static_cast<la_ssize_t>(content.size())) {
            fail();
        }
    }
    void character_device(const std::string& path, unsigned major, unsigned minor)
    {
        major_ = major;
        minor_ = minor;
        header(path, S_IFCHR | 0600U, 0);
    }
    void close() { check(archive_write_close(writer_.get())); }

private:
    void header(const std::string& path, unsigned mode, std::size_t size)
    {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), path.c_str());
        archive_entry_set_filetype(entry.get(), mode & S_IFMT);
        archive_entry_set_perm(entry.get(), mode & 07777U);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
        archive_entry_set_ino64(entry.get(), ++inode_);
        archive_entry_set_nlink(entry.get(), 1);
        archive_entry_set_mtime(entry.get(), 1, 0);
        if ((mode & S_IFMT) == S_IFCHR) {
            archive_entry_set_rdevmajor(entry.get(), major_);
            archive_entry_set_rdevminor(entry.get(), minor_);
        }
        check(archive_write_header(writer_.get(), entry.get()));
    }
    void check(int result)
    {
        if (result != ARCHIVE_OK) {
            fail();
        }
    }
    [[noreturn]] void fail()
    {
        const int problem = archive_errno(writer_.get());
        throw errno_error("can't write " + file_.string(), problem);
    }

    std::filesystem::path file_;
    c_ptr<archive, archive_write_free> writer_;
    la_int64_t inode_{0};
    unsigned major_{0};
    unsigned minor_{0};
};

}  // namespace

std::vector<std::filesystem::path> boot_modules(const std::filesystem::path& modules)
{
    ModulePlan plan{modules};
    for (const auto& module : wanted) {
        plan.add(module);
    }
    return plan.take();
}

void write_boot_modules(const std::filesystem::path& file, const std::vector<std::filesystem::path>& modules)
{
    CpioWriter cpio{file};
    for (const auto* path : {"etc", "etc/banger", "modules"}) {
        cpio.directory(path);
    }
    std::string list;
    for (const auto& module : modules) {
        auto name = module.filename();
        while (name.extension() != ".ko" && name.has_extension()) {
            name = name.stem();
        }
        const auto path = "modules/" + name.string();
        cpio.file(path, 0644, read_file(module, module_limit));
        list += "/" + path + "\n";
    }
    cpio.file("etc/banger/modules", 0644, {reinterpret_cast<const std::uint8_t*>(list.data()), list.size()});
    cpio.close();
}

void write_initrd(const std::filesystem::path& file, const std::filesystem::path& guest_program,
                  const std::filesystem::path& boot_modules)
{
    CpioWriter cpio{file};
    for (const auto* path : {"dev", "newroot", "proc", "run", "sys"}) {
        cpio.directory(path);
    }
    cpio.character_device("dev/console", 5, 1);
    cpio.file("init", 0755, read_file(guest_program, module_limit));
    cpio.close();
    // Not made anew where somebody has removed it: that would be an initrd without an init.
    std::ofstream whole{file, std::ios::binary | std::ios::in | std::ios::out | std::ios::ate};
    const auto modules = read_file(boot_modules, boot_modules_limit);
    whole.write(reinterpret_cast<const char*>(modules.data()), static_cast<std::streamsize>(modules.size()));
    whole.close();
    if (!whole) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

}  // namespace banger::agent
