// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

#include "agent/system/sha256.hpp"
#include "common/c_ptr.hpp"

namespace banger::agent::test {

struct Member {
    std::string name;
    std::string content;
    std::string symlink{};   ///< a symbolic link to it
    std::string hardlink{};  ///< a hard link to it
};

inline Digest sha256_of(std::string_view text)
{
    Sha256 sum;
    sum.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return sum.finish();
}

enum class Packing { Tgz, Zip };

inline std::string make_archive(Packing packing, const std::vector<Member>& members)
{
    std::string out(std::size_t{4} << 20U, '\0');
    std::size_t used = 0;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    if (packing == Packing::Tgz) {
        archive_write_set_format_pax_restricted(writer.get());
        archive_write_add_filter_gzip(writer.get());
    } else {
        archive_write_set_format_zip(writer.get());
    }
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    for (const auto& member : members) {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), member.name.c_str());
        archive_entry_set_perm(entry.get(), 0755);
        archive_entry_set_filetype(entry.get(), member.symlink.empty() ? AE_IFREG : AE_IFLNK);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.content.size()));
        if (!member.symlink.empty()) {
            archive_entry_set_symlink(entry.get(), member.symlink.c_str());
        }
        if (!member.hardlink.empty()) {
            archive_entry_set_hardlink(entry.get(), member.hardlink.c_str());
        }
        archive_write_header(writer.get(), entry.get());
        archive_write_data(writer.get(), member.content.data(), member.content.size());
    }
    archive_write_close(writer.get());
    out.resize(used);
    return out;
}

/// Packed once more.
inline std::string gzipped(const std::string& text)
{
    std::string out(text.size() + (std::size_t{1} << 20U), '\0');
    std::size_t used = 0;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_raw(writer.get());
    archive_write_add_filter_gzip(writer.get());
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_pathname(entry.get(), "data");
    archive_write_header(writer.get(), entry.get());
    archive_write_data(writer.get(), text.data(), text.size());
    archive_write_close(writer.get());
    out.resize(used);
    return out;
}

}  // namespace banger::agent::test
