// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/tar_pack.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t pack_block = std::size_t{256} << 10U;
constexpr double pack_told_step = 0.01;

}  // namespace

TarPack::TarPack(Sink sink, const TarForm& form, const RuntimeProgress& progress)
    : sink_{std::move(sink)}, form_{form}, progress_{&progress}, block_(pack_block)
{
    // "Restricted" writes pax headers only where they are needed.
    archive_write_set_format_pax_restricted(writer_.get());
    if (form_.compression == TarCompression::Gzip) {
        archive_write_add_filter_gzip(writer_.get());
        check(archive_write_set_filter_option(writer_.get(), "gzip", "timestamp", nullptr));
    }
    archive_write_set_bytes_in_last_block(writer_.get(), 1);
    check(archive_write_open(writer_.get(), this, nullptr, &TarPack::take, nullptr));
}

void TarPack::add_text(const std::string& name, unsigned mode, const std::string& text)
{
    const auto entry = begin(name, mode, text.size());
    check(archive_write_header(writer_.get(), entry.get()));
    put({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

void TarPack::add_file(const std::string& name, unsigned mode, const std::filesystem::path& file, std::uint64_t size,
                       const std::vector<DataRange>& data)
{
    const UniqueFd input{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!input) {
        throw errno_error("can't read " + file.string(), errno);
    }
    const auto entry = begin(name, mode, size);
    for (const auto& range : data) {
        archive_entry_sparse_add_entry(entry.get(), static_cast<la_int64_t>(range.begin),
                                       static_cast<la_int64_t>(range.size));
    }
    if (data.empty() && size > 0) {
        // All of it is a hole. Without a range libarchive takes it for a file without holes, and writes its zeros.
        archive_entry_sparse_add_entry(entry.get(), static_cast<la_int64_t>(size), 0);
    }
    check(archive_write_header(writer_.get(), entry.get()));
    std::uint64_t at = 0;
    for (const auto& range : data) {
        put_zeros(range.begin - at);
        put_range(input.get(), range, file);
        at = range.begin + range.size;
    }
    put_zeros(size - at);
}

Digest TarPack::close()
{
    check(archive_write_close(writer_.get()));
    return sum_.finish();
}

TarPack::EntryPtr TarPack::begin(const std::string& name, unsigned mode, std::uint64_t size) const
{
    EntryPtr entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry.get(), form_.modified, 0);
    return entry;
}

/// libarchive's callback, through which no exception may pass.
la_ssize_t TarPack::take(archive* writer, void* self, const void* bytes, std::size_t size) noexcept
{
    auto& pack = *static_cast<TarPack*>(self);
    if (pack.over_) {
        return -1;
    }
    try {
        const std::span<const std::uint8_t> taken{static_cast<const std::uint8_t*>(bytes), size};
        pack.sink_(taken);
        pack.sum_.add(taken);
        pack.written_ += size;
        return static_cast<la_ssize_t>(size);
    } catch (...) {
        pack.failure_ = std::current_exception();
        archive_set_error(writer, EIO, "can't write");
        return -1;
    }
}

void TarPack::put(std::span<const std::uint8_t> bytes)
{
    while (!bytes.empty()) {
        const auto done = archive_write_data(writer_.get(), bytes.data(), bytes.size());
        if (done <= 0) {
            fail();
        }
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    if (progress_->stop.stop_requested()) {
        throw Error{ErrorCode::Cancelled, "cancelled"};
    }
}

/// libarchive passes over what is a hole, and wants it all the same.
void TarPack::put_zeros(std::uint64_t count)
{
    static const std::vector<std::uint8_t> zeros(std::size_t{4} << 20U);
    while (count > 0) {
        const auto piece = std::min<std::uint64_t>(count, zeros.size());
        put({zeros.data(), static_cast<std::size_t>(piece)});
        count -= piece;
    }
}

void TarPack::put_range(int file, const DataRange& range, const std::filesystem::path& name)
{
    for (std::uint64_t done = 0; done < range.size;) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block_.size(), range.size - done));
        const auto got = ::pread(file, block_.data(), wanted, static_cast<off_t>(range.begin + done));
        if (got == 0 || (got < 0 && errno != EINTR)) {
            throw errno_error("can't read " + name.string(), got == 0 ? EIO : errno);
        }
        const auto count = got > 0 ? static_cast<std::size_t>(got) : 0;
        put({block_.data(), count});
        done += count;
        tell(count);
        check_ratio();
    }
}

void TarPack::tell(std::uint64_t count)
{
    put_ += count;
    const double fraction =
        static_cast<double>(put_) / static_cast<double>(std::max<std::uint64_t>(1, form_.data_bytes));
    if (fraction >= told_ + pack_told_step) {
        told_ = fraction;
        progress_->fraction(std::min(fraction, 1.0));
    }
}

/// What the compressor still holds back makes this a little stricter than the reader is, never laxer.
void TarPack::check_ratio() const
{
    const auto free = form_.ratio_free.bytes();
    if (form_.ratio > 0 && put_ > free && (put_ - free) / form_.ratio > written_) {
        throw Error{ErrorCode::InvalidArgument, "it packs better than " + std::to_string(form_.ratio) +
                                                    " : 1, which whoever unpacks it takes for a bomb; --plain leaves "
                                                    "it unpacked"};
    }
}

void TarPack::check(int outcome)
{
    if (outcome != ARCHIVE_OK) {
        fail();
    }
}

void TarPack::fail()
{
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    throw errno_error("can't write the archive", archive_errno(writer_.get()));
}

}  // namespace banger::agent
