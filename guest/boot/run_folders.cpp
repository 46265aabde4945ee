// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/run_folders.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "common/c_ptr.hpp"
#include "common/unique_fd.hpp"

namespace banger::guest {
namespace {

constexpr int most_folders = 1000;
constexpr int deepest = 8;

UniqueFd open_folder(int above, const char* name)
{
    return UniqueFd{::openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

void copy_folders(int from, int to, int depth, int& left)
{
    const c_ptr<DIR, ::closedir> dir{::fdopendir(open_folder(from, ".").release())};
    if (dir == nullptr) {
        return;
    }
    while (const auto* entry = ::readdir(dir.get())) {
        const char* name = entry->d_name;
        struct stat status {};
        const bool is_wanted = std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0 &&
                               ::fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
        if (!is_wanted || left == 0 || ::mkdirat(to, name, 0700) != 0) {
            continue;
        }
        --left;
        const auto source = open_folder(from, name);
        const auto copy = open_folder(to, name);
        if (source && copy && depth > 0) {
            copy_folders(source.get(), copy.get(), depth - 1, left);
        }
        if (copy && ::fchown(copy.get(), status.st_uid, status.st_gid) == 0) {
            ::fchmod(copy.get(), status.st_mode & 07777U);  // last, as fchown(2) takes setgid away
        }
    }
}

}  // namespace

void make_run_folders(const Rooted& image, const std::string& target)
{
    const auto from = image.open("/run", O_RDONLY | O_DIRECTORY);
    const UniqueFd to{::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    int left = most_folders;
    if (from && to) {
        copy_folders(from.get(), to.get(), deepest, left);
    }
}

}  // namespace banger::guest
