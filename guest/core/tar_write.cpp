// SPDX-License-Identifier: GPL-2.0-or-later
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"
#include "guest/core/archive_failure.hpp"
#include "guest/core/tar_copy.hpp"

namespace banger::guest {
namespace {

using Reader = c_ptr<archive, archive_read_free>;
using Writer = c_ptr<archive, archive_write_free>;
using Links = c_ptr<archive_entry_linkresolver, archive_entry_linkresolver_free>;

struct Split {
    std::string parent, name;
};

Split split(std::string path)
{
    while (path.size() > 1 && path.back() == '/') {
        path.pop_back();
    }
    const auto slash = path.rfind('/');
    return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

class TarWriter {
public:
    TarWriter(int fd, wire::CopyDone& done)
        : tar_{archive_write_new()}, links_{archive_entry_linkresolver_new()}, done_{done}
    {
        archive_write_set_format_pax(tar_.get());
        archive_write_set_options(tar_.get(), "hdrcharset=BINARY");
        archive_write_set_bytes_per_block(tar_.get(), static_cast<int>(tar_block_size));
        archive_write_set_bytes_in_last_block(tar_.get(), 1);
        if (archive_write_open_fd(tar_.get(), fd) != ARCHIVE_OK) {
            throw archive_failure("tar stream", tar_.get());
        }
        archive_entry_linkresolver_set_strategy(links_.get(), archive_format(tar_.get()));
    }

    /// Everything under `name` in the working directory.
    void add_tree(const std::string& name)
    {
        const Reader disk{archive_read_disk_new()};
        archive_read_disk_set_symlink_physical(disk.get());
        archive_read_disk_set_behavior(disk.get(), ARCHIVE_READDISK_NO_FFLAGS);
        if (archive_read_disk_open(disk.get(), name.c_str()) != ARCHIVE_OK) {
            throw archive_failure(name, disk.get());
        }
        for (;;) {
            const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
            const int status = archive_read_next_header2(disk.get(), entry.get());
            if (status == ARCHIVE_EOF) {
                return;
            }
            if (status < ARCHIVE_WARN) {
                throw archive_failure(or_empty(archive_entry_pathname(entry.get())), disk.get());
            }
            add(disk.get(), entry.get());
            archive_read_disk_descend(disk.get());
        }
    }

    void close()
    {
        if (archive_write_close(tar_.get()) != ARCHIVE_OK) {
            throw archive_failure("tar stream", tar_.get());
        }
    }

private:
    void add(archive* disk, archive_entry* entry)
    {
        if (archive_entry_filetype(entry) == AE_IFSOCK) {
            return;
        }
        // With the tar strategy nothing is held back: the second entry of a linked file becomes a link to the first.
        archive_entry* held = nullptr;
        archive_entry_linkify(links_.get(), &entry, &held);
        const auto path = or_empty(archive_entry_pathname(entry));
        if (archive_write_header(tar_.get(), entry) < ARCHIVE_WARN) {
            throw archive_failure(path, tar_.get());
        }
        if (archive_entry_size(entry) > 0 && archive_entry_hardlink(entry) == nullptr) {
            add_contents(disk, path);
        }
        ++done_.entries;
    }

    void add_contents(archive* disk, const std::string& path)
    {
        static constexpr std::array<char, tar_block_size> zeros{};
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
                throw archive_failure(path, disk);
            }
            while (position < offset) {
                const auto gap = static_cast<std::size_t>(std::min<la_int64_t>(offset - position, tar_block_size));
                write(zeros.data(), gap, path);
                position += static_cast<la_int64_t>(gap);
            }
            write(block, size, path);
            position += static_cast<la_int64_t>(size);
            done_.bytes += size;
        }
    }

    void write(const void* data, std::size_t size, const std::string& path)
    {
        if (archive_write_data(tar_.get(), data, size) < 0) {
            throw archive_failure(path, tar_.get());
        }
    }

    Writer tar_;
    Links links_;
    wire::CopyDone& done_;
};

}  // namespace

wire::CopyDone write_tar(int fd, const wire::CopyOut& copy)
{
    wire::CopyDone done;
    try {
        const auto [parent, name] = split(copy.path);
        const bool inside = copy.contents || name.empty();
        if (::chdir((inside ? copy.path : parent).c_str()) != 0) {
            throw errno_error(copy.path, errno);
        }
        TarWriter writer{fd, done};
        writer.add_tree(inside ? "." : name);
        writer.close();
    } catch (const Error& error) {
        done.error = error.what();
    }
    return done;
}

}  // namespace banger::guest
