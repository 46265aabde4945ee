// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/packed_stream.hpp"

#include <archive_entry.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "agent/system/stream_packing.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t stream_block = std::size_t{256} << 10U;
constexpr double told_step = 0.01;

}  // namespace

PackedStream::PackedStream(int file, const UnpackLimits& limits, const RuntimeProgress& progress)
    : file_{file}, limits_{&limits}, progress_{&progress}, packed_(stream_block)
{
    struct stat status {};
    if (::fstat(file_, &status) < 0) {
        throw errno_error("can't read it", errno);
    }
    if (S_ISREG(status.st_mode)) {
        file_size_ = static_cast<std::uint64_t>(status.st_size);
    } else {
        wait_.emplace(progress.stop);
    }
    choose_packing();
    archive_read_support_format_raw(reader_.get());
    archive_entry* entry = nullptr;
    if (archive_read_open(reader_.get(), this, nullptr, &PackedStream::give, nullptr) != ARCHIVE_OK ||
        archive_read_next_header(reader_.get(), &entry) != ARCHIVE_OK) {
        fail();
    }
}

/// A pipe may bring the first bytes one by one.
void PackedStream::choose_packing()
{
    while (begin_.size() < packing_mark_size) {
        const auto more = read_packed();
        if (more.empty()) {
            break;
        }
        begin_.insert(begin_.end(), more.begin(), more.end());
    }
    const bool is_gzip = packing_of(begin_) == StreamPacking::Gzip;
    take_packing_off(reader_.get(), is_gzip ? StreamPacking::Gzip : StreamPacking::None);
}

la_ssize_t PackedStream::give(archive* reader, void* self, const void** buffer) noexcept
{
    auto& stream = *static_cast<PackedStream*>(self);
    try {
        const bool is_first = !std::exchange(stream.has_begun_, true) && !stream.begin_.empty();
        const auto got = is_first ? std::span<const std::uint8_t>{stream.begin_} : stream.read_packed();
        *buffer = got.data();
        return static_cast<la_ssize_t>(got.size());
    } catch (...) {
        stream.failure_ = std::current_exception();
        archive_set_error(reader, EIO, "failed");
        return ARCHIVE_FATAL;
    }
}

/// By place, as others may read the same descriptor; of a pipe when there is something.
ssize_t PackedStream::read_some()
{
    for (;;) {
        if (wait_) {
            wait_->until_ready(file_, POLLIN);
        }
        const auto got = wait_ ? ::read(file_, packed_.data(), packed_.size())
                               : ::pread(file_, packed_.data(), packed_.size(), static_cast<off_t>(in_));
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return got;
        }
    }
}

std::span<const std::uint8_t> PackedStream::read_packed()
{
    if (progress_->stop.stop_requested()) {
        throw Error{ErrorCode::Cancelled, "cancelled"};
    }
    const auto got = read_some();
    if (got < 0) {
        throw errno_error("can't read it", errno);
    }
    const std::span<const std::uint8_t> bytes{packed_.data(), static_cast<std::size_t>(got)};
    sum_.add(bytes);
    in_ += bytes.size();
    tell();
    return bytes;
}

void PackedStream::tell()
{
    if (wait_) {
        return;  // nobody knows of how much
    }
    const double fraction = file_size_ > 0 ? static_cast<double>(in_) / static_cast<double>(file_size_) : 1;
    if (fraction >= told_ + told_step) {
        told_ = fraction;
        progress_->fraction(fraction);
    }
}

void PackedStream::fail()
{
    if (failure_) {
        std::rethrow_exception(failure_);
    }
    throw Error{ErrorCode::CorruptData, "it can't be unpacked: it is damaged, cut off, or no tar.gz"};
}

std::span<const std::uint8_t> PackedStream::read()
{
    // By the block, as archive_read_data() waits until all that it is asked for has come, which of a pipe may be never.
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t place = 0;
    const int outcome = archive_read_data_block(reader_.get(), &block, &size, &place);
    if (outcome == ARCHIVE_EOF) {
        return {};
    }
    if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
        fail();
    }
    out_ += size;
    if (out_ > limits_->stream.bytes() ||
        (out_ > limits_->ratio_free.bytes() && (out_ - limits_->ratio_free.bytes()) / limits_->ratio > in_)) {
        throw Error{ErrorCode::CorruptData, "it is a bomb: its " + ByteSize{in_}.to_string() + " come to more than " +
                                                ByteSize{out_}.to_string()};
    }
    return {static_cast<const std::uint8_t*>(block), size};
}

Digest PackedStream::finish()
{
    while (!read().empty()) {
    }
    while (!read_packed().empty()) {
    }
    return sum_.finish();
}

}  // namespace banger::agent
