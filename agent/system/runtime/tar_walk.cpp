// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/tar_walk.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/error.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t hole_block = std::size_t{64} << 10U;

bool is_zero(const char* bytes, std::size_t size)
{
    return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

void write_piece(int file, const char* bytes, std::size_t size, std::uint64_t offset, const std::string& name)
{
    while (size > 0) {
        const auto piece = std::min(size, hole_block);
        std::size_t done = is_zero(bytes, piece) ? piece : 0;
        while (done < piece) {
            const auto written = ::pwrite(file, bytes + done, piece - done, static_cast<off_t>(offset + done));
            if (written < 0 && errno != EINTR) {
                throw errno_error("can't write " + name, errno);
            }
            done += written > 0 ? static_cast<std::size_t>(written) : 0;
        }
        bytes += piece;
        offset += piece;
        size -= piece;
    }
}

}  // namespace

TarWalk::TarWalk(PackedStream& stream, const UnpackLimits& limits) : stream_{&stream}, limits_{&limits}
{
    archive_read_support_format_tar(reader_.get());
    if (archive_read_open(reader_.get(), this, nullptr, &TarWalk::give, nullptr) != ARCHIVE_OK) {
        fail();
    }
}

archive_entry* TarWalk::next()
{
    archive_entry* entry = nullptr;
    header_from_ = stream_->out();
    const int outcome = archive_read_next_header(reader_.get(), &entry);
    header_from_.reset();
    if (outcome == ARCHIVE_EOF) {
        return nullptr;
    }
    if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
        fail();
    }
    return entry;
}

la_ssize_t TarWalk::give(archive* reader, void* self, const void** buffer) noexcept
{
    auto& walk = *static_cast<TarWalk*>(self);
    try {
        const auto limit = walk.limits_->header.bytes();
        if (walk.header_from_ && walk.stream_->out() - *walk.header_from_ > limit) {
            throw Error{ErrorCode::CorruptData,
                        "it says more than " + walk.limits_->header.to_string() + " before a file begins"};
        }
        const auto bytes = walk.stream_->read();
        *buffer = bytes.data();
        return static_cast<la_ssize_t>(bytes.size());
    } catch (...) {
        walk.failure_ = std::current_exception();
        archive_set_error(reader, EIO, "failed");
        return ARCHIVE_FATAL;
    }
}

void TarWalk::fail() const
{
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    throw Error{ErrorCode::CorruptData, "it can't be unpacked: it is damaged, cut off, or no tar.gz"};
}

void refuse_member(const std::string& name, const std::string& why)
{
    throw Error{ErrorCode::CorruptData, "\"" + shown(name) + "\" in it " + why};
}

std::string bare_member_name(archive_entry* entry)
{
    auto name = or_empty(archive_entry_pathname(entry));
    while (name.starts_with("./")) {
        name.erase(0, 2);
    }
    while (name.size() > 1 && name.ends_with('/')) {
        name.pop_back();
    }
    return name;
}

void check_is_plain_file(archive_entry* entry, const std::string& name)
{
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) == AE_IFLNK) {
        refuse_member(name, "is a link, and not a file");
    }
    if (archive_entry_filetype(entry) != AE_IFREG) {
        refuse_member(name, archive_entry_filetype(entry) == AE_IFDIR ? "is a folder, and not a file"
                                                                      : "is a device or such, and not a file");
    }
}

void unpack_member(TarWalk& walk, std::uint64_t size, int folder, const std::string& name)
{
    const UniqueFd file{::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) {
        throw errno_error("can't make " + name, errno);
    }
    walk.read([&](const char* bytes, std::size_t count, la_int64_t offset) {
        const auto begin = static_cast<std::uint64_t>(offset);
        if (offset < 0 || begin > size || count > size - begin) {
            refuse_member(name, "has bytes behind its end");
        }
        write_piece(file.get(), bytes, count, begin, name);
    });
    if (::ftruncate(file.get(), static_cast<off_t>(size)) < 0 || ::fsync(file.get()) < 0) {
        throw errno_error("can't write " + name, errno);
    }
}

}  // namespace banger::agent
