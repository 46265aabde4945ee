// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "agent/system/oci/layer_check.hpp"
#include "agent/system/sha256.hpp"
#include "common/c_ptr.hpp"

namespace banger::agent::test {

inline std::string oci_digest(std::string_view text)
{
    Sha256 sum;
    sum.add({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    return "sha256:" + sum.finish().str();
}

/// One member of a layer; `shape` sets what the rest has no word for.
struct LayerMember {
    std::string name;
    std::string content{};
    mode_t type{AE_IFREG};
    std::string hard_link{};
    std::function<void(archive_entry*)> shape{};
};

inline std::string make_layer(const std::vector<LayerMember>& members, bool packed = true)
{
    std::string out;
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_pax(writer.get());
    archive_write_set_options(writer.get(), "hdrcharset=BINARY");
    archive_write_set_bytes_in_last_block(writer.get(), 1);  // nothing behind the packed stream
    if (packed) {
        archive_write_add_filter_gzip(writer.get());
    }
    archive_write_open(
        writer.get(), &out, nullptr,
        [](archive*, void* place, const void* bytes, std::size_t size) {
            static_cast<std::string*>(place)->append(static_cast<const char*>(bytes), size);
            return static_cast<la_ssize_t>(size);
        },
        nullptr);
    for (const auto& member : members) {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), member.name.c_str());
        archive_entry_set_perm(entry.get(), member.type == AE_IFDIR ? 0755 : 0644);
        archive_entry_set_filetype(entry.get(), member.type);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(member.content.size()));
        if (!member.hard_link.empty()) {
            archive_entry_set_hardlink(entry.get(), member.hard_link.c_str());
        }
        if (member.shape) {
            member.shape(entry.get());
        }
        archive_write_header(writer.get(), entry.get());
        archive_write_data(writer.get(), member.content.data(), member.content.size());
    }
    archive_write_close(writer.get());
    return out;
}

/// Puts it where it may be checked, with a digest that holds.
inline LayerFile put_layer(const std::filesystem::path& folder, const std::string& bytes, bool packed = true)
{
    const auto digest = oci_digest(bytes);
    const auto file = folder / digest.substr(digest.find(':') + 1);
    std::ofstream{file, std::ios::binary} << bytes;
    const auto packing = packed ? OciDescriptor::Packing::Gzip : OciDescriptor::Packing::None;
    return {file, {.digest = digest, .size = bytes.size(), .packing = packing}};
}

}  // namespace banger::agent::test
