// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>

#include "agent/system/stream_packing.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t chunk = std::size_t{256} << 10U;

}  // namespace

std::vector<std::uint8_t> unpack(std::span<const std::uint8_t> packed, std::size_t limit, const std::string& name)
{
    const c_ptr<archive, archive_read_free> reader{archive_read_new()};
    const auto packing = packing_of(packed);
    take_packing_off(reader.get(), packing);
    archive_read_support_format_raw(reader.get());
    archive_entry* entry = nullptr;
    if (packing == StreamPacking::None ||
        archive_read_open_memory(reader.get(), packed.data(), packed.size()) != ARCHIVE_OK ||
        archive_read_next_header(reader.get(), &entry) != ARCHIVE_OK) {
        throw Error{ErrorCode::CorruptData, name + " can't be unpacked: it is none of gzip, xz, zstd and lz4"};
    }
    std::vector<std::uint8_t> out;
    std::vector<std::uint8_t> buffer(chunk);
    for (;;) {
        const auto got = archive_read_data(reader.get(), buffer.data(), buffer.size());
        if (got < 0) {
            throw Error{ErrorCode::CorruptData, name + " can't be unpacked: it is damaged or cut off"};
        }
        if (got == 0) {
            return out;
        }
        if (out.size() + static_cast<std::size_t>(got) > limit) {
            throw Error{ErrorCode::CorruptData,
                        name + " unpacks to more than " + std::to_string(limit >> 20U) + " MiB"};
        }
        out.insert(out.end(), buffer.begin(), buffer.begin() + got);
    }
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& file, std::size_t limit)
{
    std::error_code problem;
    const auto size = std::filesystem::file_size(file, problem);
    if (problem) {
        throw errno_error("can't read " + file.string(), problem.value());
    }
    if (size > limit) {
        throw Error{ErrorCode::CorruptData, file.string() + " is larger than " + std::to_string(limit >> 20U) + " MiB"};
    }
    std::ifstream stream{file, std::ios::binary};
    std::vector<std::uint8_t> bytes(size);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!stream) {
        throw Error{ErrorCode::Failed, "can't read " + file.string()};
    }
    const auto extension = file.extension();
    const bool packed = extension == ".xz" || extension == ".zst" || extension == ".gz";
    return packed ? unpack(bytes, limit, file.string()) : bytes;
}

}  // namespace banger::agent
