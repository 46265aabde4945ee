// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "agent/ports/runtime.hpp"
#include "agent/system/runtime/disk_scan.hpp"
#include "agent/system/sha256.hpp"
#include "common/c_ptr.hpp"
#include "common/size.hpp"

namespace banger::agent {

enum class TarCompression { Gzip, None };

struct TarForm {
    TarCompression compression{TarCompression::Gzip};
    std::int64_t modified{0};     ///< the time of all files, seconds since 1970
    std::uint64_t data_bytes{0};  ///< of all files together, holes left out: what a fraction is of
    /// Of what goes in to what comes out, beyond `ratio_free`: more is refused, as whoever unpacks it would. 0: no limit.
    std::uint64_t ratio{0};
    ByteSize ratio_free{64 * mib};
};

/// Writes a tar of plain files, the same bit by bit for the same files, form, libarchive and zlib: owner 0:0, pax headers only where they
/// are needed, holes as GNU tar's sparse format 1.0 has them. Worker thread. What it calls throws Cancelled, Failed, and what `sink` throws.
class TarPack {
public:
    /// Takes the bytes as they come.
    using Sink = std::function<void(std::span<const std::uint8_t>)>;

    TarPack(Sink sink, const TarForm& form, const RuntimeProgress& progress);
    TarPack(const TarPack&) = delete;
    TarPack& operator=(const TarPack&) = delete;
    /// Nothing goes to the sink any more: it may be why this ends. Not by archive_write_fail(), after which libarchive 3.6 frees no compressor.
    ~TarPack() { over_ = true; }

    void add_text(const std::string& name, unsigned mode, const std::string& text);
    /// `data`: what of the file's `size` bytes is read; the rest are holes. Throws also InvalidArgument (the ratio).
    void add_file(const std::string& name, unsigned mode, const std::filesystem::path& file, std::uint64_t size,
                  const std::vector<DataRange>& data);
    /// The sha256 of all that went to the sink.
    Digest close();
    /// Bytes that went there.
    std::uint64_t written() const noexcept { return written_; }

private:
    using EntryPtr = c_ptr<archive_entry, archive_entry_free>;

    EntryPtr begin(const std::string& name, unsigned mode, std::uint64_t size) const;
    static la_ssize_t take(archive* writer, void* self, const void* bytes, std::size_t size) noexcept;
    void put(std::span<const std::uint8_t> bytes);
    void put_zeros(std::uint64_t count);
    void put_range(int file, const DataRange& range, const std::filesystem::path& name);
    void tell(std::uint64_t count);
    void check_ratio() const;
    void check(int outcome);
    [[noreturn]] void fail();

    Sink sink_;
    TarForm form_;
    const RuntimeProgress* progress_;
    std::vector<std::uint8_t> block_;
    std::uint64_t put_{0};
    std::uint64_t written_{0};
    double told_{0};
    Sha256 sum_;
    std::exception_ptr failure_;
    bool over_{false};
    c_ptr<archive, archive_write_free> writer_{archive_write_new()};
};

}  // namespace banger::agent
