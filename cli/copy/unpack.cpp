// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "cli/copy/archive.hpp"
#include "cli/view/escape.hpp"
#include "cli/view/output.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/size.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

using Reader = c_ptr<archive, archive_read_free>;
using Writer = c_ptr<archive, archive_write_free>;

constexpr mode_t special_bits = S_ISUID | S_ISGID | S_ISVTX;

[[noreturn]] void fail_to_read(archive* tar)
{
    throw Error{ErrorCode::CorruptData,
                "the copy from the guest can't be read: " + escaped(or_empty(archive_error_string(tar)))};
}

[[noreturn]] void fail_to_write(const std::string& path, archive* disk)
{
    const auto sentence = escaped(path + ": " + or_empty(archive_error_string(disk)));
    if (const int problem = archive_errno(disk); problem > 0) {  // its own codes are negative
        throw errno_error(sentence, problem);
    }
    throw Error{ErrorCode::Failed, sentence};
}

/// libarchive's own guards stand behind place_member(): what one misses the other has.
Writer disk_writer(Owners owners)
{
    int flags = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_XATTR | ARCHIVE_EXTRACT_SPARSE |
                ARCHIVE_EXTRACT_SECURE_SYMLINKS | ARCHIVE_EXTRACT_SECURE_NODOTDOT |
                ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;
    if (owners == Owners::Archive && ::geteuid() == 0) {
        flags |= ARCHIVE_EXTRACT_OWNER;
    }
    Writer disk{archive_write_disk_new()};
    archive_write_disk_set_options(disk.get(), flags);
    return disk;
}

/// How many parts of `path` come after those that it begins with as `before` does. 1 where a tree is sent as it is walked through.
std::uint64_t parts_beyond(const std::string& before, const std::string& path)
{
    const auto differs = std::mismatch(path.begin(), path.end(), before.begin(), before.end());
    const bool ends_a_part = differs.second == before.end() || *differs.second == '/';
    const bool begins_a_part = differs.first != path.end() && *differs.first == '/';
    auto at = differs.first;
    if (ends_a_part && begins_a_part) {
        ++at;
    } else {
        while (at != path.begin() && *std::prev(at) != '/') {
            --at;  // "ab" has no part in common with "ac"
        }
    }
    return 1 + static_cast<std::uint64_t>(std::count(at, path.end(), '/'));
}

class Unpacker {
public:
    Unpacker(int fd, const Renaming& renaming, Owners owners, const Inspection* inspection, const Passed& passed)
        : tar_{archive_read_new()},
          disk_{disk_writer(owners)},
          renaming_{&renaming},
          owners_{owners},
          inspection_{inspection},
          passed_{&passed}
    {
        archive_read_support_format_tar(tar_.get());
        // Names are bytes. Without this they would be converted to the character set of the C locale.
        archive_read_set_options(tar_.get(), "hdrcharset=BINARY");
        if (archive_read_open_fd(tar_.get(), fd, archive_block_size) != ARCHIVE_OK) {
            fail_to_read(tar_.get());
        }
    }

    void run()
    {
        for (;;) {
            archive_entry* entry = nullptr;
            const int status = archive_read_next_header(tar_.get(), &entry);
            if (status == ARCHIVE_EOF) {
                break;
            }
            if (status < ARCHIVE_WARN) {
                fail_to_read(tar_.get());
            }
            add(entry);
        }
        // Sets what had to wait: times and modes of folders.
        if (archive_write_close(disk_.get()) < ARCHIVE_WARN) {
            fail_to_write("the target", disk_.get());
        }
    }

private:
    std::string placed(const char* member) const
    {
        const auto path = place_member(or_empty(member), *renaming_);
        if (!path) {
            throw Error{ErrorCode::CorruptData, "the guest sent a file named \"" +
                                                    escaped(or_empty(member).substr(0, 256)) +
                                                    "\", which does not belong to what was asked for"};
        }
        return *path;
    }

    void add(archive_entry* entry)
    {
        const auto path = placed(archive_entry_pathname(entry));
        if (path == ".") {
            return;  // the folder that is copied into keeps its own mode and times
        }
        if (inspection_ != nullptr) {
            count_names(path);
            if (!inspection_->wanted(path)) {
                return;
            }
        }
        archive_entry_copy_pathname(entry, path.c_str());
        const char* link = archive_entry_hardlink(entry);
        if (link != nullptr) {
            archive_entry_copy_hardlink(entry, placed(link).c_str());
        }
        const auto kind = archive_entry_filetype(entry);
        if (link == nullptr && kind != AE_IFREG && kind != AE_IFDIR && kind != AE_IFLNK) {
            remark("left out: " + path + ", neither a file, a folder nor a link");
            return;
        }
        restrict(entry);
        count(entry);
        if (archive_write_header(disk_.get(), entry) < ARCHIVE_WARN) {
            fail_to_write(path, disk_.get());
        }
        if (archive_entry_size(entry) > 0) {
            copy_contents(path);
        }
        if (archive_write_finish_entry(disk_.get()) < ARCHIVE_WARN) {
            fail_to_write(path, disk_.get());
        }
    }

    void restrict(archive_entry* entry) const
    {
        archive_entry_acl_clear(entry);
        archive_entry_set_fflags(entry, 0, 0);
        if (owners_ == Owners::Receiver) {
            archive_entry_set_mode(entry, archive_entry_mode(entry) & ~special_bits);
        }
        keep_user_attributes(entry);
        if (inspection_ != nullptr) {
            const mode_t readable = archive_entry_filetype(entry) == AE_IFDIR ? S_IRWXU : S_IRUSR | S_IWUSR;
            archive_entry_set_mode(entry, archive_entry_mode(entry) | readable);
        }
    }

    /// One name makes a folder of each of its parts that isn't there, and a file system has no more than so many inodes.
    void count_names(const std::string& path)
    {
        names_ += std::max<std::uint64_t>(1, parts_beyond(last_path_, path));
        last_path_ = path;
        if (names_ > inspection_->files) {
            throw Error{ErrorCode::NoSpace,
                        "the guest sends more than " + std::to_string(inspection_->files) + " files and folders"};
        }
    }

    /// Sizes are what the guest says, and holes cost it nothing.
    void count(archive_entry* entry)
    {
        const auto size = static_cast<std::uint64_t>(std::max<la_int64_t>(archive_entry_size(entry), 0));
        if (inspection_ != nullptr && size > inspection_->limit - std::min(total_, inspection_->limit)) {
            throw Error{ErrorCode::NoSpace, "the guest sends more than " + ByteSize{inspection_->limit}.to_string()};
        }
        total_ += size;
    }

    /// security.* and trusted.* mean something to this host's kernel.
    static void keep_user_attributes(archive_entry* entry)
    {
        const c_ptr<archive_entry, archive_entry_free> all{archive_entry_clone(entry)};
        archive_entry_xattr_clear(entry);
        archive_entry_xattr_reset(all.get());
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        while (archive_entry_xattr_next(all.get(), &name, &value, &size) == ARCHIVE_OK) {
            if (std::string_view{name}.starts_with("user.")) {
                archive_entry_xattr_add_entry(entry, name, value, size);
            }
        }
    }

    /// Holes are kept: blocks come with their offset.
    void copy_contents(const std::string& path)
    {
        for (;;) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int status = archive_read_data_block(tar_.get(), &block, &size, &offset);
            if (status == ARCHIVE_EOF) {
                return;
            }
            if (status < ARCHIVE_WARN) {
                fail_to_read(tar_.get());
            }
            // A full disk is a warning there.
            if (archive_write_data_block(disk_.get(), block, size, offset) != ARCHIVE_OK) {
                fail_to_write(path, disk_.get());
            }
            (*passed_)(size);
        }
    }

    Reader tar_;
    Writer disk_;
    const Renaming* renaming_;
    Owners owners_;
    const Inspection* inspection_;  ///< may be none
    const Passed* passed_;
    std::uint64_t total_{0};
    std::uint64_t names_{0};
    std::string last_path_{};
};

/// libarchive's guards hold for relative names; the next source's target is relative to where the user is.
void unpack_in(int fd, const std::string& folder, const Renaming& renaming, Owners owners, const Inspection* inspection,
               const Passed& passed)
{
    const UniqueFd before{::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC)};
    Rollback back;
    back.add([&before] {
        if (::fchdir(before.get()) < 0) {
            throw errno_error("can't go back to the folder that this began in", errno);
        }
    });
    if (!before || ::chdir(folder.c_str()) < 0) {
        throw errno_error(folder, errno);
    }
    Unpacker{fd, renaming, owners, inspection, passed}.run();
}

}  // namespace

void unpack(int fd, const std::string& folder, const Renaming& renaming, Owners owners, const Passed& passed)
{
    unpack_in(fd, folder, renaming, owners, nullptr, passed);
}

void unpack_to_inspect(int fd, const std::string& folder, const Renaming& renaming, const Inspection& inspection,
                       const Passed& passed)
{
    unpack_in(fd, folder, renaming, Owners::Receiver, &inspection, passed);
}

}  // namespace banger::cli
