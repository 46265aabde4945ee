// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "common/c_ptr.hpp"

// Files that look like a kernel's, made without one.
namespace banger::agent::test {

using FileBytes = std::vector<std::uint8_t>;

inline FileBytes file_bytes(std::string_view text) { return {text.begin(), text.end()}; }

inline void write_file(const std::filesystem::path& file, const FileBytes& bytes)
{
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                static_cast<std::streamsize>(bytes.size()));
}

inline FileBytes read_whole(const std::filesystem::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

/// By archive_write_add_filter_xz and its like.
inline FileBytes packed(const FileBytes& bytes, int (*filter)(archive*))
{
    const c_ptr<archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_raw(writer.get());
    filter(writer.get());
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    FileBytes out(bytes.size() + (std::size_t{1} << 20U));
    std::size_t used = 0;
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
    archive_entry_set_filetype(entry.get(), S_IFREG);
    archive_entry_set_pathname(entry.get(), "data");
    archive_write_header(writer.get(), entry.get());
    archive_write_data(writer.get(), bytes.data(), bytes.size());
    archive_write_close(writer.get());
    out.resize(used);
    return out;
}

/// The least that is an x86-64 ELF file.
inline FileBytes small_elf(std::size_t size = 64)
{
    FileBytes bytes(size);
    const std::array<std::uint8_t, 5> magic{0x7f, 'E', 'L', 'F', 2};
    std::copy(magic.begin(), magic.end(), bytes.begin());
    bytes[18] = 62;  // EM_X86_64
    return bytes;
}

/// One with this text in it.
inline FileBytes small_elf_saying(std::string_view text)
{
    auto bytes = small_elf();
    bytes.insert(bytes.end(), text.begin(), text.end());
    bytes.push_back(0);
    return bytes;
}

/// `payload` as the kernel's build leaves it: with its unpacked size behind it, unless it is gzip, which ends with that.
inline FileBytes with_size(FileBytes payload, std::size_t unpacked)
{
    const bool is_gzip = payload.size() > 1 && payload[0] == 0x1f && payload[1] == 0x8b;
    for (unsigned shift = 0; !is_gzip && shift < 32; shift += 8) {
        payload.push_back(static_cast<std::uint8_t>(unpacked >> shift));
    }
    return payload;
}

/// A bzImage with this payload.
inline FileBytes bz_image(const FileBytes& payload)
{
    constexpr std::size_t code = 1024;
    FileBytes bytes(code);
    const auto put = [&bytes](std::size_t at, std::uint32_t value, int count) {
        for (int i = 0; i < count; ++i) {
            bytes[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (8 * i));
        }
    };
    bytes[0x1f1] = 1;
    put(0x202, 0x53726448, 4);  // HdrS
    put(0x206, 0x020f, 2);
    put(0x24c, static_cast<std::uint32_t>(payload.size()), 4);
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

/// A binary index as depmod writes it and libkmod reads it: libkmod/libkmod-index.h of kmod 30.
class ModuleIndex {
public:
    void add(const std::string& key, const std::string& value) { entries_[key].push_back(value); }
    FileBytes bytes()
    {
        out_.clear();
        put(0xb007f457);
        put(0x00020001);
        put(0);
        const auto root = node(0, entries_.begin(), entries_.end());
        for (int i = 0; i < 4; ++i) {
            out_[8 + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(root >> (24 - 8 * i));
        }
        return out_;
    }

private:
    using Entries = std::map<std::string, std::vector<std::string>>;
    void put(std::uint32_t value)
    {
        for (int i = 0; i < 4; ++i) {
            out_.push_back(static_cast<std::uint8_t>(value >> (24 - 8 * i)));
        }
    }
    /// Its offset with its flags; its children are written before it.
    std::uint32_t node(std::size_t depth, Entries::const_iterator begin, Entries::const_iterator end)
    {
        constexpr std::uint32_t has_values = 0x40000000;
        constexpr std::uint32_t has_children = 0x20000000;
        const std::vector<std::string>* values = nullptr;
        if (begin != end && begin->first.size() == depth) {
            values = &begin->second;
            ++begin;
        }
        std::map<std::uint8_t, std::uint32_t> children;
        while (begin != end) {
            const auto letter = static_cast<std::uint8_t>(begin->first[depth]);
            auto next = begin;
            while (next != end && static_cast<std::uint8_t>(next->first[depth]) == letter) {
                ++next;
            }
            children[letter] = node(depth + 1, begin, next);
            begin = next;
        }
        auto offset = static_cast<std::uint32_t>(out_.size());
        if (!children.empty()) {
            offset |= has_children;
            const unsigned first = children.begin()->first;
            const unsigned last = children.rbegin()->first;
            out_.push_back(static_cast<std::uint8_t>(first));
            out_.push_back(static_cast<std::uint8_t>(last));
            for (unsigned letter = first; letter <= last; ++letter) {
                const auto at = children.find(static_cast<std::uint8_t>(letter));
                put(at == children.end() ? 0 : at->second);
            }
        }
        if (values != nullptr) {
            offset |= has_values;
            put(static_cast<std::uint32_t>(values->size()));
            for (const auto& value : *values) {
                put(0);
                out_.insert(out_.end(), value.begin(), value.end());
                out_.push_back(0);
            }
        }
        return offset;
    }

    Entries entries_;
    FileBytes out_;
};

/// A /lib/modules/VERSION tree.
class ModuleTree {
public:
    explicit ModuleTree(std::filesystem::path folder) : folder_{std::move(folder)} {}
    /// `needs`: nearest first, as depmod has it; all by their paths below kernel/.
    void add(const std::string& file, const std::vector<std::string>& needs = {})
    {
        auto bytes = file_bytes("module " + file);
        if (file.ends_with(".xz")) {
            bytes = packed(bytes, archive_write_add_filter_xz);
        } else if (file.ends_with(".zst")) {
            bytes = packed(bytes, archive_write_add_filter_zstd);
        }
        write_file(folder_ / "kernel" / file, bytes);
        std::string line = "kernel/" + file + ":";
        for (const auto& need : needs) {
            line += " kernel/" + need;
        }
        auto name = std::filesystem::path{file}.filename().string();
        dependencies_.add(name.substr(0, name.find('.')), line);
        text_ += line + "\n";
    }
    void add_built_in(const std::string& name) { built_in_.add(name, ""); }
    /// Every module that a guest needs; virtio_blk packed, virtio_console with a chain of needs.
    void add_usual()
    {
        add("drivers/virtio/virtio.ko");
        add("drivers/virtio/virtio_ring.ko", {"drivers/virtio/virtio.ko"});
        add("drivers/virtio/virtio_mmio.ko", {"drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio.ko"});
        add("drivers/block/virtio_blk.ko.xz", {"drivers/virtio/virtio_ring.ko", "drivers/virtio/virtio.ko"});
        add("fs/jbd2/jbd2.ko");
        add("fs/ext4/ext4.ko.zst", {"fs/jbd2/jbd2.ko"});
        add("drivers/char/virtio_console.ko");
    }
    void finish()
    {
        for (auto* index : {&dependencies_, &built_in_, &nothing_}) {
            index->add("a_module_of_no_name", "");
        }
        write_file(folder_ / "modules.dep", file_bytes(text_));
        write_file(folder_ / "modules.dep.bin", dependencies_.bytes());
        write_file(folder_ / "modules.builtin.bin", built_in_.bytes());
        write_file(folder_ / "modules.alias.bin", nothing_.bytes());
        write_file(folder_ / "modules.symbols.bin", nothing_.bytes());
    }

private:
    std::filesystem::path folder_;
    ModuleIndex dependencies_;
    ModuleIndex built_in_;
    ModuleIndex nothing_;
    std::string text_;
};

}  // namespace banger::agent::test
