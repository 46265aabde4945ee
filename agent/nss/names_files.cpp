// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/names_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "common/unique_fd.hpp"

namespace banger::nss {
namespace {

// As bangerd's Paths::instance has it: the usual one, and those with a state folder of their own.
constexpr const char* usual_file = "bangerd";
constexpr std::string_view other_files = "bangerd-";
constexpr std::size_t hash_length = 8;

constexpr int open_flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
constexpr std::size_t piece_size = 1024;

/// The thread as it was, afterwards: its errno, and whether it may be cancelled, which here would lose a descriptor.
class Undisturbed {
public:
    Undisturbed() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_); }
    Undisturbed(const Undisturbed&) = delete;
    Undisturbed& operator=(const Undisturbed&) = delete;
    ~Undisturbed()
    {
        ::pthread_setcancelstate(cancel_state_, nullptr);
        errno = error_;
    }

private:
    int error_{errno};
    int cancel_state_{0};
};

/// What errno says of a file that can't be opened or read.
LookUp failed() noexcept
{
    switch (errno) {
        case ENOENT:
        case ENOTDIR:
        case EISDIR:
        case ELOOP:
        case EACCES:
        case EPERM:
        case ENXIO:
        case ENODEV:
            return {};
        default:
            return {.finding = Finding::Unreadable, .error = errno};
    }
}

bool is_own(int file, uid_t user, mode_t type, off_t limit) noexcept
{
    struct stat status {};
    return ::fstat(file, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == user &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && (type == S_IFDIR || status.st_size <= limit);
}

LookUp look_into(int folder, const char* name, uid_t user, const Question& question) noexcept
{
    const UniqueFd file{::openat(folder, name, open_flags)};
    if (!file) {
        return failed();
    }
    if (!is_own(file.get(), user, S_IFREG, file_limit)) {
        return {};
    }
    Scan scan{question};
    std::array<char, piece_size> piece;
    off_t left = file_limit;
    for (;;) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0) {
            return failed();
        }
        left -= got;
        if (got == 0) {
            break;
        }
        if (left < 0 || !scan.feed({piece.data(), static_cast<std::size_t>(got)})) {
            return {};
        }
    }
    const auto found = scan.end();
    return found ? LookUp{.finding = Finding::Found, .entry = *found} : LookUp{};
}

bool is_other_file(std::string_view name) noexcept
{
    // Not starts_with(), whose substr() would throw, if only in theory.
    if (name.size() != other_files.size() + hash_length ||
        !std::equal(other_files.begin(), other_files.end(), name.begin())) {
        return false;
    }
    name.remove_prefix(other_files.size());
    return name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Those of bangerds with a state folder of their own, in the order in which the file system has them.
LookUp look_into_others(int folder, uid_t user, const Question& question) noexcept
{
    alignas(dirent64) std::array<char, piece_size> entries;
    int files = 0;
    for (int turns = 0; turns < most_files; ++turns) {
        // Not readdir(), which allocates.
        const auto size = ::getdents64(folder, entries.data(), entries.size());
        if (size < 0) {
            return failed();
        }
        if (size == 0) {
            break;
        }
        for (ssize_t at = 0; at < size && files < most_files;) {
            const auto* const entry = reinterpret_cast<const dirent64*>(entries.data() + at);
            at += entry->d_reclen;
            if (!is_other_file(entry->d_name)) {
                continue;
            }
            ++files;
            const auto found = look_into(folder, entry->d_name, user, question);
            if (found.finding != Finding::Absent) {
                return found;
            }
        }
    }
    return {};
}

}  // namespace

LookUp look_up(const Place& place, const Question& question) noexcept
{
    const Undisturbed thread;
    std::array<char, 256> path;
    const auto length = std::snprintf(path.data(), path.size(), "%s/%u/banger/names", place.run, place.user);
    if (length < 0 || static_cast<std::size_t>(length) >= path.size()) {
        return {};
    }
    const UniqueFd folder{::open(path.data(), open_flags | O_DIRECTORY)};
    if (!folder) {
        return failed();
    }
    if (!is_own(folder.get(), place.user, S_IFDIR, 0)) {
        return {};
    }
    const auto found = look_into(folder.get(), usual_file, place.user, question);
    return found.finding != Finding::Absent ? found : look_into_others(folder.get(), place.user, question);
}

}  // namespace banger::nss
