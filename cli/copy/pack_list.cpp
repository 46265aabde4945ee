// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <set>

#include "cli/copy/archive.hpp"
#include "cli/copy/pax_writer.hpp"
#include "cli/view/output.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

using ListEntry = c_ptr<archive_entry, archive_entry_free>;

constexpr mode_t folder_mode = 0755;
constexpr mode_t permission_bits = 0777;

/// A symlink in the way leads nowhere: a name stands for what is below the folder, or for nothing. Source: openat2(2), Linux 5.6.
UniqueFd open_below(int folder, const std::string& name, std::uint64_t flags)
{
    open_how how{};
    how.flags = flags | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return UniqueFd{static_cast<int>(::syscall(SYS_openat2, folder, name.c_str(), &how, sizeof how))};
}

bool is_gone(int problem) { return problem == ENOENT || problem == ENOTDIR || problem == ELOOP || problem == EXDEV; }

class ListPacker {
public:
    ListPacker(int fd, const Passed& passed) : tar_{open_pax_writer(fd)}, block_(archive_block_size), passed_{&passed}
    {
    }

    void add(const FileList& list)
    {
        const UniqueFd folder{::open(list.folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
        if (!folder) {
            throw errno_error(list.folder, errno);
        }
        add_folders_of(list.prefix);
        for (const auto& name : list.names) {
            add_name(folder.get(), name, list.prefix + name);
        }
    }

    void close()
    {
        if (archive_write_close(tar_.get()) != ARCHIVE_OK) {
            fail_to_pack("the stream", tar_.get());
        }
    }

private:
    void add_name(int folder, const std::string& name, const std::string& member)
    {
        // A link itself can only be had with O_PATH; a pipe, that way, holds nobody up.
        auto file = open_below(folder, name, O_PATH | O_NOFOLLOW);
        struct stat status {};
        if (!file && is_gone(errno)) {
            return;
        }
        if (!file || ::fstat(file.get(), &status) < 0) {
            throw errno_error(name, errno);
        }
        if (S_ISLNK(status.st_mode)) {
            add_link(file.get(), name, member, status);
            return;
        }
        if (!S_ISREG(status.st_mode)) {
            remark("left out: " + name + ", neither a file nor a link");
            return;
        }
        file = open_below(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
        if (!file || ::fstat(file.get(), &status) < 0) {
            if (is_gone(errno)) {
                return;
            }
            throw errno_error("can't read " + name, errno);
        }
        add_file(file.get(), name, member, status);
    }

    ListEntry entry_of(const std::string& member, mode_t kind, const struct stat& status)
    {
        add_folders_of(member);
        ListEntry entry{archive_entry_new()};
        archive_entry_copy_pathname(entry.get(), member.c_str());
        archive_entry_set_filetype(entry.get(), kind);
        archive_entry_set_perm(entry.get(), status.st_mode & permission_bits);
        archive_entry_set_mtime(entry.get(), status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
        return entry;  // owner 0:0 is what a new one has
    }

    /// Those above `member`, each once.
    void add_folders_of(const std::string& member)
    {
        for (auto slash = member.find('/'); slash != std::string::npos; slash = member.find('/', slash + 1)) {
            auto folder = member.substr(0, slash + 1);
            if (folders_.contains(folder)) {
                continue;
            }
            const ListEntry entry{archive_entry_new()};
            archive_entry_copy_pathname(entry.get(), folder.c_str());
            archive_entry_set_filetype(entry.get(), AE_IFDIR);
            archive_entry_set_perm(entry.get(), folder_mode);
            write_header(entry.get(), folder);
            folders_.insert(std::move(folder));
        }
    }

    void add_link(int link, const std::string& name, const std::string& member, const struct stat& status)
    {
        std::string target(PATH_MAX, '\0');
        const auto size = ::readlinkat(link, "", target.data(), target.size());
        if (size < 0) {
            throw errno_error("can't read " + name, errno);
        }
        target.resize(static_cast<std::size_t>(size));
        const auto entry = entry_of(member, AE_IFLNK, status);
        archive_entry_copy_symlink(entry.get(), target.c_str());
        write_header(entry.get(), name);
    }

    void add_file(int file, const std::string& name, const std::string& member, const struct stat& status)
    {
        const auto entry = entry_of(member, AE_IFREG, status);
        archive_entry_set_size(entry.get(), status.st_size);
        write_header(entry.get(), name);
        auto left = static_cast<std::size_t>(status.st_size);
        while (left > 0) {
            const auto got = ::read(file, block_.data(), std::min(left, block_.size()));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                throw errno_error("can't read " + name, errno);
            }
            if (got == 0) {
                return;  // it has become shorter; zeros take the place of the rest, and who called compares afterwards
            }
            if (archive_write_data(tar_.get(), block_.data(), static_cast<std::size_t>(got)) < 0) {
                fail_to_pack(name, tar_.get());
            }
            left -= static_cast<std::size_t>(got);
            (*passed_)(static_cast<std::size_t>(got));
        }
    }

    void write_header(archive_entry* entry, const std::string& name)
    {
        if (archive_write_header(tar_.get(), entry) < ARCHIVE_WARN) {
            fail_to_pack(name, tar_.get());
        }
    }

    PaxWriter tar_;
    std::vector<char> block_;
    std::set<std::string> folders_;
    const Passed* passed_;
};

}  // namespace

void pack_lists(int fd, const std::vector<FileList>& lists, const Passed& passed)
{
    ListPacker packer{fd, passed};
    for (const auto& list : lists) {
        packer.add(list);
    }
    packer.close();
}

}  // namespace banger::cli
