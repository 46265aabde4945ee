// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/mounts.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::guest {
namespace {

/// Whether something is mounted right there.
bool is_mount_point(const std::string& path)
{
    struct stat here {};
    struct stat above {};
    return ::lstat(path.c_str(), &here) == 0 && ::lstat((path + "/..").c_str(), &above) == 0 &&
           here.st_dev != above.st_dev;
}

/// Deletes all below `fd` that lies on the same file system. What can't be deleted only costs memory.
void delete_tree(UniqueFd fd, dev_t device)
{
    const int raw = fd.get();
    const c_ptr<DIR, ::closedir> dir{::fdopendir(fd.release())};
    if (dir == nullptr) {
        return;
    }
    while (const auto* entry = ::readdir(dir.get())) {
        const char* name = entry->d_name;
        struct stat status {};
        if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0 ||
            ::fstatat(raw, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || status.st_dev != device) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            delete_tree(UniqueFd{::openat(raw, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)}, device);
        }
        ::unlinkat(raw, name, S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
    }
}

}  // namespace

void mount_kernel_fs(const char* type, const std::string& target, unsigned long flags, const char* options)
{
    ::mkdir(target.c_str(), 0755);
    if (is_mount_point(target)) {
        return;
    }
    if (::mount(type, target.c_str(), type, flags, options) != 0 && errno != EBUSY) {
        throw errno_error(std::string{type} + " can't be mounted at " + target, errno);
    }
}

void mount_disk(const std::string& device, const std::string& target, bool read_only)
{
    int first_error = 0;
    for (const char* type : {"ext4", "squashfs", "erofs"}) {
        if (::mount(device.c_str(), target.c_str(), type, read_only ? static_cast<unsigned long>(MS_RDONLY) : 0UL,
                    "") == 0) {
            return;
        }
        if (first_error == 0 || (first_error == ENODEV && errno != ENODEV)) {
            first_error = errno;
        }
    }
    throw errno_error("The disk " + device + " can't be mounted at " + target, first_error, ErrorCode::CorruptData);
}

void mount_standard()
{
    constexpr unsigned long quiet = MS_NOSUID | MS_NODEV;
    mount_kernel_fs("proc", "/proc", quiet | MS_NOEXEC);
    mount_kernel_fs("sysfs", "/sys", quiet | MS_NOEXEC);
    mount_kernel_fs("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
    mount_kernel_fs("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=000");
    mount_kernel_fs("tmpfs", "/dev/shm", quiet, "mode=1777");
    mount_kernel_fs("tmpfs", "/run", quiet, "mode=0755");
    mount_kernel_fs("tmpfs", "/tmp", quiet, "mode=1777");
    mount_kernel_fs("cgroup2", "/sys/fs/cgroup", quiet | MS_NOEXEC);
    // As udev would; programs expect them.
    (void)!::symlink("/proc/self/fd", "/dev/fd");
    (void)!::symlink("/proc/self/fd/0", "/dev/stdin");
    (void)!::symlink("/proc/self/fd/1", "/dev/stdout");
    (void)!::symlink("/proc/self/fd/2", "/dev/stderr");
}

void switch_root(const std::string& root, const std::string& init)
{
    struct stat initrd {};
    ::stat("/", &initrd);
    for (const std::string mounted : {"/dev", "/proc", "/sys", "/run"}) {
        ::mkdir((root + mounted).c_str(), 0755);
        if (::mount(mounted.c_str(), (root + mounted).c_str(), nullptr, MS_MOVE, nullptr) != 0) {
            throw errno_error(mounted + " can't be moved into the image", errno);
        }
    }
    UniqueFd old_root{::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (::chdir(root.c_str()) != 0) {
        throw errno_error(root, errno);
    }
    delete_tree(std::move(old_root), initrd.st_dev);
    if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 || ::chdir("/") != 0) {
        throw errno_error("The image can't become the root file system", errno);
    }
    const char* const argv[] = {init.c_str(), nullptr};
    const char* const guest_argv[] = {init.c_str(), "--init", nullptr};
    const char* const environment[] = {"TERM=linux", "HOME=/",
                                       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
    const bool own = init.ends_with("/banger-guest");
    ::execve(init.c_str(), const_cast<char* const*>(own ? guest_argv : argv), const_cast<char* const*>(environment));
    throw errno_error(init + " of the image can't be run", errno);
}

}  // namespace banger::guest
