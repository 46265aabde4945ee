// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "cli/copy/archive.hpp"
#include "cli/copy/pax_writer.hpp"
#include "cli/view/output.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

using Reader = c_ptr<archive, archive_read_free>;
using Entry = c_ptr<archive_entry, archive_entry_free>;
using Links = c_ptr<archive_entry_linkresolver, archive_entry_linkresolver_free>;

constexpr std::size_t zeros_size = 65536;

/// The names that archive_read_disk gives start with `path`; those of the archive with its last component.
class Packer {
public:
    Packer(int fd, const std::string& path, const Renaming& renaming, Owners owners, const Passed& passed)
        : tar_{open_pax_writer(fd)},
          links_{archive_entry_linkresolver_new()},
          path_{path},
          renaming_{&renaming},
          owners_{owners},
          passed_{&passed}
    {
        archive_entry_linkresolver_set_strategy(links_.get(), archive_format(tar_.get()));
    }

    void add_all(SourceLinks links)
    {
        const Reader disk{archive_read_disk_new()};
        if (links == SourceLinks::Follow) {
            archive_read_disk_set_symlink_hybrid(disk.get());  // of the first name alone, as cp -H
        } else {
            archive_read_disk_set_symlink_physical(disk.get());
        }
        archive_read_disk_set_behavior(disk.get(), ARCHIVE_READDISK_NO_FFLAGS);
        if (archive_read_disk_open(disk.get(), path_.c_str()) != ARCHIVE_OK) {
            fail_to_pack(path_, disk.get());
        }
        for (;;) {
            const Entry entry{archive_entry_new()};
            const int status = archive_read_next_header2(disk.get(), entry.get());
            if (status == ARCHIVE_EOF) {
                break;
            }
            if (status < ARCHIVE_WARN) {
                fail_to_pack(or_empty(archive_entry_pathname(entry.get())), disk.get());
            }
            if (can_go(entry.get())) {
                add(disk.get(), entry.get());
            }
            archive_read_disk_descend(disk.get());
        }
        if (archive_write_close(tar_.get()) != ARCHIVE_OK) {
            fail_to_pack("the stream", tar_.get());
        }
    }

private:
    static bool can_go(archive_entry* entry)
    {
        const auto kind = archive_entry_filetype(entry);
        if (kind == AE_IFREG || kind == AE_IFDIR || kind == AE_IFLNK) {
            return true;
        }
        remark("left out: " + or_empty(archive_entry_pathname(entry)) + ", neither a file, a folder nor a link");
        return false;
    }

    std::string renamed(const std::string& name) const
    {
        auto rest = name.substr(std::min(path_.size(), name.size()));
        rest.erase(0, rest.find_first_not_of('/'));
        const auto placed =
            renaming_->name.empty() || rest.empty() ? renaming_->name + rest : renaming_->name + "/" + rest;
        return placed.empty() ? "." : placed;
    }

    void add(archive* disk, archive_entry* entry)
    {
        const auto source = or_empty(archive_entry_pathname(entry));
        const auto name = renamed(source);
        if (name == ".") {
            return;  // the folder that is copied into keeps its own mode and times
        }
        archive_entry_copy_pathname(entry, name.c_str());
        if (owners_ == Owners::Receiver) {
            archive_entry_set_uid(entry, 0);
            archive_entry_set_gid(entry, 0);
        }
        archive_entry_set_uname(entry, "");
        archive_entry_set_gname(entry, "");
        // With the tar strategy nothing is held back: the second entry of a linked file becomes a link to the first.
        archive_entry* held = nullptr;
        archive_entry_linkify(links_.get(), &entry, &held);
        if (archive_write_header(tar_.get(), entry) < ARCHIVE_WARN) {
            fail_to_pack(source, tar_.get());
        }
        if (archive_entry_size(entry) > 0 && archive_entry_hardlink(entry) == nullptr) {
            add_contents(disk, source);
        }
    }

    void add_contents(archive* disk, const std::string& source)
    {
        static constexpr std::array<char, zeros_size> zeros{};
        la_int64_t position = 0;
        for (;;) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int status = archive_read_data_block(disk, &block, &size, &offset);
            if (status == ARCHIVE_EOF) {
                return;
            }
            if (status < ARCHIVE_WARN) {
                fail_to_pack(source, disk);
            }
            while (position < offset) {  // the writer leaves holes out again, it knows where they are
                const auto gap = static_cast<std::size_t>(std::min<la_int64_t>(offset - position, zeros_size));
                write(zeros.data(), gap, source);
                position += static_cast<la_int64_t>(gap);
            }
            write(block, size, source);
            position += static_cast<la_int64_t>(size);
            (*passed_)(size);
        }
    }

    void write(const void* data, std::size_t size, const std::string& source)
    {
        if (archive_write_data(tar_.get(), data, size) < 0) {
            fail_to_pack(source, tar_.get());
        }
    }

    PaxWriter tar_;
    Links links_;
    std::string path_;
    const Renaming* renaming_;
    Owners owners_;
    const Passed* passed_;
};

}  // namespace

void fail_to_pack(const std::string& what, archive* handle)
{
    const int problem = archive_errno(handle);
    if (problem == EPIPE || problem == ECONNRESET) {
        throw Error{ErrorCode::Unavailable, "the guest takes no more of the copy"};
    }
    const char* why = archive_error_string(handle);
    const auto code = problem == ENOENT ? ErrorCode::NotFound : ErrorCode::Failed;
    throw Error{code, what + ": " + (why != nullptr ? why : "can't be copied")};
}

PaxWriter open_pax_writer(int fd)
{
    PaxWriter tar{archive_write_new()};
    archive_write_set_format_pax(tar.get());
    archive_write_set_options(tar.get(), "hdrcharset=BINARY");
    archive_write_set_bytes_per_block(tar.get(), static_cast<int>(archive_block_size));
    archive_write_set_bytes_in_last_block(tar.get(), 1);
    if (archive_write_open_fd(tar.get(), fd) != ARCHIVE_OK) {
        fail_to_pack("the stream", tar.get());
    }
    return tar;
}

void pack(int fd, const std::string& path, const Renaming& renaming, Owners owners, SourceLinks links,
          const Passed& passed)
{
    Packer{fd, path, renaming, owners, passed}.add_all(links);
}

}  // namespace banger::cli
