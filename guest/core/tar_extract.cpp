// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/text.hpp"
#include "guest/core/archive_failure.hpp"
#include "guest/core/tar_copy.hpp"

namespace banger::guest {
namespace {

using Reader = c_ptr<archive, archive_read_free>;
using Writer = c_ptr<archive, archive_write_free>;

/// An owner, a mode or an xattr that can't be set is no reason to stop, but the first one is told.
void check(int status, const std::string& path, archive* disk, wire::CopyDone& done)
{
    if (status < ARCHIVE_WARN) {
        throw archive_failure(path, disk);
    }
    if (status == ARCHIVE_WARN && done.error.empty()) {
        done.error = archive_complaint(path, disk) + "; the rest was copied";
    }
}

/// "a/b" with `rename` "x": "x/b". Names like "./a" count from their first real component.
std::string renamed(std::string_view name, const std::string& rename)
{
    while (name.starts_with("./")) {
        name.remove_prefix(2);
    }
    const auto slash = name.find('/');
    return slash == std::string_view::npos ? rename : rename + std::string{name.substr(slash)};
}

Writer disk_writer()
{
    int flags = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                ARCHIVE_EXTRACT_SPARSE | ARCHIVE_EXTRACT_UNLINK | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    if (::geteuid() == 0) {
        flags |= ARCHIVE_EXTRACT_OWNER;
    }
    Writer disk{archive_write_disk_new()};
    archive_write_disk_set_options(disk.get(), flags);
    return disk;
}

/// Holes are kept: blocks come with their offset.
std::uint64_t copy_contents(archive* tar, archive* disk, const std::string& path)
{
    std::uint64_t total = 0;
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(tar, &block, &size, &offset);
        if (status == ARCHIVE_EOF) {
            return total;
        }
        if (status < ARCHIVE_WARN) {
            throw archive_failure(path, tar);
        }
        // A failed write is only a warning to libarchive (3.6, archive_write_disk_posix.c, write_data_block).
        if (archive_write_data_block(disk, block, size, offset) != ARCHIVE_OK) {
            throw archive_failure(path, disk);
        }
        total += size;
    }
}

void extract_entry(archive* tar, archive* disk, archive_entry* entry, const wire::CopyIn& copy, wire::CopyDone& done)
{
    std::string path = or_empty(archive_entry_pathname(entry));
    if (copy.rename) {
        path = renamed(path, *copy.rename);
        archive_entry_copy_pathname(entry, path.c_str());
        if (const auto* target = archive_entry_hardlink(entry); target != nullptr) {
            archive_entry_copy_hardlink(entry, renamed(target, *copy.rename).c_str());
        }
    }
    check(archive_write_header(disk, entry), path, disk, done);
    if (archive_entry_size(entry) > 0) {
        done.bytes += copy_contents(tar, disk, path);
    }
    check(archive_write_finish_entry(disk), path, disk, done);
    ++done.entries;
}

void extract_all(int fd, const wire::CopyIn& copy, wire::CopyDone& done)
{
    if (::chdir(copy.directory.c_str()) != 0) {
        throw errno_error(copy.directory, errno);
    }
    const Reader tar{archive_read_new()};
    archive_read_support_format_tar(tar.get());
    // Names are bytes. Without this they would be converted to the character set of the C locale.
    archive_read_set_options(tar.get(), "hdrcharset=BINARY");
    if (archive_read_open_fd(tar.get(), fd, tar_block_size) != ARCHIVE_OK) {
        throw archive_failure("tar stream", tar.get());
    }
    const Writer disk = disk_writer();
    for (;;) {
        archive_entry* entry = nullptr;
        const int status = archive_read_next_header(tar.get(), &entry);
        if (status == ARCHIVE_EOF) {
            break;
        }
        if (status < ARCHIVE_WARN) {
            throw archive_failure("tar stream", tar.get());
        }
        extract_entry(tar.get(), disk.get(), entry, copy, done);
    }
    // Sets what had to wait: times and modes of directories.
    check(archive_write_close(disk.get()), copy.directory, disk.get(), done);
}

void read_to_end(int fd)
{
    std::array<char, tar_block_size> buffer;  // NOLINT: filled by read
    while (::read(fd, buffer.data(), buffer.size()) > 0) {
    }
}

}  // namespace

wire::CopyDone extract_tar(int fd, const wire::CopyIn& copy)
{
    wire::CopyDone done;
    ::umask(0);
    try {
        extract_all(fd, copy, done);
    } catch (const Error& error) {
        done.error = error.what();
    }
    read_to_end(fd);
    return done;
}

}  // namespace banger::guest
