// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/work_disk.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "guest/core/archive_failure.hpp"

namespace banger::guest {
namespace {

/// trusted.*: only root in the guest can set it, and cp -a or tar do not carry it elsewhere by chance. "1": filled; "0": we
/// began to.
constexpr const char* marker = "trusted.banger.filled";

[[noreturn]] void fail(archive* handle)
{
    throw archive_failure("The image's /root can't be copied to the work disk", handle);
}

void copy_blocks(archive* from, archive* to)
{
    for (;;) {
        const void* block = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(from, &block, &size, &offset);
        if (status == ARCHIVE_EOF) {
            return;
        }
        if (status < ARCHIVE_WARN) {
            fail(from);
        }
        if (archive_write_data_block(to, block, size, offset) != ARCHIVE_OK) {  // a failed write is a warning
            fail(to);
        }
    }
}

/// "/image/root/a" below "/image/root": "./a".
std::string below(const std::string& folder, const char* path) { return "." + std::string{path}.substr(folder.size()); }

void rename_below(const std::string& folder, archive_entry* entry)
{
    archive_entry_copy_pathname(entry, below(folder, archive_entry_pathname(entry)).c_str());
    if (const char* target = archive_entry_hardlink(entry)) {
        archive_entry_copy_hardlink(entry, below(folder, target).c_str());
    }
}

void copy_entries(archive* from, archive* to, archive_entry_linkresolver* links, const std::string& folder)
{
    for (;;) {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        const int status = archive_read_next_header2(from, entry.get());
        if (status == ARCHIVE_EOF) {
            return;
        }
        if (status < ARCHIVE_WARN) {
            fail(from);
        }
        archive_read_disk_descend(from);
        if (archive_entry_filetype(entry.get()) == AE_IFSOCK) {
            continue;
        }
        archive_entry* same = entry.get();
        archive_entry* held = nullptr;
        archive_entry_linkify(links, &same, &held);  // with tar's strategy it changes the entry and holds none back
        rename_below(folder, entry.get());
        if (archive_write_header(to, entry.get()) < ARCHIVE_WARN) {
            fail(to);
        }
        if (archive_entry_size(entry.get()) > 0 && archive_entry_hardlink(entry.get()) == nullptr) {
            copy_blocks(from, to);
        }
        if (archive_write_finish_entry(to) < ARCHIVE_WARN) {
            fail(to);
        }
    }
}

/// Changes the working directory for as long as it lives.
class InFolder {
public:
    explicit InFolder(const std::string& path) : before_{::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)}
    {
        if (::chdir(path.c_str()) != 0) {
            throw errno_error(path, errno);
        }
    }
    InFolder(const InFolder&) = delete;
    InFolder& operator=(const InFolder&) = delete;
    ~InFolder() { (void)!::fchdir(before_.get()); }

private:
    UniqueFd before_;
};

bool is_ours(const std::filesystem::directory_entry& entry) { return entry.path().filename() == "lost+found"; }

bool is_empty(const std::string& path)
{
    const std::filesystem::directory_iterator entries{path};
    return std::all_of(begin(entries), end(entries), is_ours);
}

void empty_folder(const std::string& path)
{
    for (const auto& entry : std::filesystem::directory_iterator{path}) {
        if (!is_ours(entry)) {
            std::filesystem::remove_all(entry.path());
        }
    }
}

enum class Filling { NotBegun, Begun, Done };

Filling filling_of(const std::string& disk)
{
    char mark = 0;
    if (::getxattr(disk.c_str(), marker, &mark, sizeof mark) < 0) {
        return Filling::NotBegun;
    }
    return mark == '0' ? Filling::Begun : Filling::Done;
}

/// On the disk when it returns, after all that was written before it.
void mark(const std::string& disk, Filling filling)
{
    const UniqueFd folder{::open(disk.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const char* const value = filling == Filling::Done ? "1" : "0";
    if (::syncfs(folder.get()) != 0 || ::fsetxattr(folder.get(), marker, value, 1, 0) != 0 ||
        ::fsync(folder.get()) != 0) {
        throw errno_error("The work disk can't be marked", errno);
    }
}

}  // namespace

void copy_tree(const std::string& folder, const std::string& to)
{
    const std::string from =
        folder + "/.";  // `folder` may be a link (/proc/self/fd/N), which is not to be copied itself
    const c_ptr<archive, archive_read_free> reader{archive_read_disk_new()};
    archive_read_disk_set_symlink_physical(reader.get());
    archive_read_disk_set_behavior(reader.get(), ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS | ARCHIVE_READDISK_NO_FFLAGS);
    const c_ptr<archive, archive_write_free> writer{archive_write_disk_new()};
    archive_write_disk_set_options(writer.get(), ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                                     ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                                                     ARCHIVE_EXTRACT_SPARSE);
    const InFolder inside{to};
    if (archive_read_disk_open(reader.get(), from.c_str()) != ARCHIVE_OK) {
        fail(reader.get());
    }
    const c_ptr<archive_entry_linkresolver, archive_entry_linkresolver_free> links{archive_entry_linkresolver_new()};
    archive_entry_linkresolver_set_strategy(links.get(), ARCHIVE_FORMAT_TAR);
    copy_entries(reader.get(), writer.get(), links.get(), from);
    if (archive_write_close(writer.get()) < ARCHIVE_WARN) {
        fail(writer.get());
    }
}

void fill_work_disk(const std::string& disk, const std::string& image_root)
try {
    const auto filling = filling_of(disk);
    if (filling == Filling::Done) {
        return;
    }
    if (filling == Filling::Begun) {
        empty_folder(disk);
    } else if (!is_empty(disk)) {
        mark(disk, Filling::Done);  // somebody else filled it
        return;
    }
    mark(disk, Filling::Begun);
    if (std::filesystem::is_directory(image_root)) {
        copy_tree(image_root, disk);
    } else if (::chmod(disk.c_str(), 0700) != 0) {
        throw errno_error(disk, errno);
    }
    mark(disk, Filling::Done);
} catch (const std::filesystem::filesystem_error& error) {
    throw errno_error("The work disk can't be filled", error.code().value());
}

}  // namespace banger::guest
