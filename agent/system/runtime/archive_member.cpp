// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/archive_member.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "agent/system/stream_packing.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t block_size = std::size_t{64} << 10U;
// Of all members together, unpacked: what is passed over is unpacked, too, and a small file may claim to hold terabytes.
constexpr auto contents_limit = 4 * gib;

class ArchiveReader {
public:
    explicit ArchiveReader(const std::filesystem::path& file) : fd_{::open(file.c_str(), O_RDONLY | O_CLOEXEC)}
    {
        if (!fd_) {
            throw errno_error("can't read " + file.string(), errno);
        }
        std::array<std::uint8_t, packing_mark_size> begin{};
        const bool is_gzip =
            ::pread(fd_.get(), begin.data(), begin.size(), 0) > 0 && packing_of(begin) == StreamPacking::Gzip;
        take_packing_off(reader_.get(), is_gzip ? StreamPacking::Gzip : StreamPacking::None);
        archive_read_support_format_tar(reader_.get());
        archive_read_support_format_zip_seekable(reader_.get());
        if (archive_read_open_fd(reader_.get(), fd_.get(), block_size) != ARCHIVE_OK) {
            damaged();
        }
    }

    /// nullptr at the end.
    archive_entry* next()
    {
        archive_entry* entry = nullptr;
        const int outcome = archive_read_next_header(reader_.get(), &entry);
        if (outcome == ARCHIVE_EOF) {
            return nullptr;
        }
        if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
            damaged();
        }
        const auto size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : 0;
        if (size < 0 || static_cast<std::uint64_t>(size) > contents_limit.bytes() - seen_) {
            throw Error{ErrorCode::CorruptData, "it claims to hold more than " + contents_limit.to_string()};
        }
        seen_ += static_cast<std::uint64_t>(size);
        return entry;
    }

    void read(const std::function<void(std::span<const std::uint8_t>)>& take, const std::stop_token& stop)
    {
        std::vector<std::uint8_t> block(block_size);
        for (;;) {
            const auto got = archive_read_data(reader_.get(), block.data(), block.size());
            if (got < 0) {
                damaged();
            }
            if (got == 0) {
                return;
            }
            take({block.data(), static_cast<std::size_t>(got)});
            if (stop.stop_requested()) {
                throw Error{ErrorCode::Cancelled, "cancelled"};
            }
        }
    }

private:
    [[noreturn]] void damaged() const
    {
        throw Error{ErrorCode::CorruptData, "it can't be unpacked: it is damaged, cut off, or neither .tgz nor .zip"};
    }

    UniqueFd fd_;
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
    std::uint64_t seen_{0};
};

}  // namespace

bool looks_packed(const std::filesystem::path& file)
{
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 2> begin{};
    if (!fd || ::read(fd.get(), begin.data(), begin.size()) < 0) {
        throw errno_error("can't read " + file.string(), errno);
    }
    const std::string_view magic{begin.data(), begin.size()};
    return magic == "\x1f\x8b" || magic == "PK";
}

bool read_member(const std::filesystem::path& archive, const std::string& member,
                 const std::function<void(std::span<const std::uint8_t>)>& take, const std::stop_token& stop)
{
    ArchiveReader reader{archive};
    while (auto* entry = reader.next()) {
        if (stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        const char* name = archive_entry_pathname(entry);
        if (name == nullptr || (name != member && name != "./" + member)) {
            continue;
        }
        if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) {
            throw Error{ErrorCode::CorruptData, member + " in it is no regular file"};
        }
        reader.read(take, stop);
        return true;
    }
    return false;
}

}  // namespace banger::agent
