// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/unpack/tree_writer.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "agent/unpack/ext_image.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::unpack {
namespace {

/// A failed write is no more than a warning to libarchive; here all is to be as it was.
void check(archive* writer, int result, archive_entry* entry)
{
    if (result != ARCHIVE_OK) {
        const auto* path = archive_entry_pathname(entry);
        throw errno_error(std::string{path != nullptr ? path : "an entry"} + " can't be unpacked",
                          archive_errno(writer));
    }
}

}  // namespace

void unpack_image(const std::filesystem::path& image, const std::filesystem::path& tree)
{
    const ExtImage source{std::filesystem::absolute(image)};
    if (::chdir(tree.c_str()) < 0) {
        throw errno_error("can't enter " + tree.string(), errno);
    }
    const c_ptr<archive, archive_write_free> writer{archive_write_disk_new()};
    archive_write_disk_set_options(writer.get(), ARCHIVE_EXTRACT_OWNER | ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
                                                     ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
                                                     ARCHIVE_EXTRACT_SECURE_NODOTDOT | ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                     ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS);
    source.walk([&writer](archive_entry* entry, const ExtImage::Read& read) {
        check(writer.get(), archive_write_header(writer.get(), entry), entry);
        read([&](std::uint64_t offset, std::span<const char> bytes) {
            check(writer.get(),
                  static_cast<int>(archive_write_data_block(writer.get(), bytes.data(), bytes.size(),
                                                            static_cast<la_int64_t>(offset))),
                  entry);
        });
        check(writer.get(), archive_write_finish_entry(writer.get()), entry);
    });
    // Modes and times of folders, which are set last.
    if (archive_write_close(writer.get()) != ARCHIVE_OK) {
        throw errno_error("the tree can't be finished", archive_errno(writer.get()));
    }
}

}  // namespace banger::unpack
