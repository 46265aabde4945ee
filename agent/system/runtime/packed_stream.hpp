// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <vector>

#include "agent/ports/runtime.hpp"
#include "agent/system/sha256.hpp"
#include "agent/system/stop_wait.hpp"
#include "common/c_ptr.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// What a packed stream may come to, so that a small file can't keep us busy, or fill the memory or the disk.
struct UnpackLimits {
    std::size_t entries{64};
    ByteSize sizes{std::uint64_t{16} * 1024 * gib};  ///< of all files together, holes counted in
    ByteSize stream{std::uint64_t{64} * gib};        ///< what the packed bytes come to
    std::uint64_t ratio{400};                        ///< of that to the packed bytes read; zeros pack 1000 : 1
    ByteSize ratio_free{64 * mib};                   ///< may come out whatever went in
    ByteSize header{8 * mib};                        ///< before a file's bytes: names, and where its holes are
};

/// The bytes of a gzip file (or a plain one) as they come out, counted, with the sha256 of what goes in.
class PackedStream {
public:
    /// `file` stays the caller's. A regular one is read from its begin, by place; a pipe or a socket as it comes.
    PackedStream(int file, const UnpackLimits& limits, const RuntimeProgress& progress);
    PackedStream(const PackedStream&) = delete;
    PackedStream& operator=(const PackedStream&) = delete;
    ~PackedStream() = default;

    /// Empty at the end; valid until the next call. Throws CorruptData (damaged, or too much comes out), Cancelled, Failed.
    std::span<const std::uint8_t> read();
    /// What came out up to now.
    std::uint64_t out() const noexcept { return out_; }
    /// Reads both to their ends. The sha256 of all that went in.
    Digest finish();

private:
    static la_ssize_t give(archive* reader, void* self, const void** buffer) noexcept;
    void choose_packing();
    std::span<const std::uint8_t> read_packed();
    [[noreturn]] void fail();
    ssize_t read_some();
    void tell();

    int file_;
    const UnpackLimits* limits_;
    const RuntimeProgress* progress_;
    std::uint64_t file_size_{0};
    std::optional<StopWait> wait_;  ///< for what is no regular file
    std::uint64_t in_{0};
    std::uint64_t out_{0};
    double told_{0};
    Sha256 sum_;
    std::exception_ptr failure_;
    std::vector<std::uint8_t> begin_;  ///< what was read to know the packing
    bool has_begun_{false};            ///< and was given on
    std::vector<std::uint8_t> packed_;
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
};

}  // namespace banger::agent
