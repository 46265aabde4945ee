// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>

#include "agent/system/runtime/packed_stream.hpp"
#include "common/c_ptr.hpp"

// A tar of plain files from somebody who may mean harm. In sentences, "it" is the archive.
namespace banger::agent {

/// The tar in a PackedStream. What it needs before a file's bytes is bounded, as it is kept in memory.
class TarWalk {
public:
    TarWalk(PackedStream& stream, const UnpackLimits& limits);
    TarWalk(const TarWalk&) = delete;
    TarWalk& operator=(const TarWalk&) = delete;
    ~TarWalk() = default;

    /// nullptr at the end. The file before must have been read, as what is passed over here counts as a header. Throws CorruptData, and as PackedStream.
    archive_entry* next();
    /// take(bytes, size, offset), each piece behind the one before; there are holes between them.
    template <typename Take>
    void read(Take&& take)
    {
        header_from_ = stream_->out();  // libarchive 3.6 reads here where the holes are
        for (;;) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int outcome = archive_read_data_block(reader_.get(), &block, &size, &offset);
            header_from_.reset();
            if (outcome == ARCHIVE_EOF) {
                return;
            }
            if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
                fail();
            }
            take(static_cast<const char*>(block), size, offset);
        }
    }

private:
    static la_ssize_t give(archive* reader, void* self, const void** buffer) noexcept;
    [[noreturn]] void fail() const;

    PackedStream* stream_;
    const UnpackLimits* limits_;
    std::optional<std::uint64_t> header_from_;
    std::exception_ptr failure_;
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
};

/// Throws CorruptData: "NAME" in it, and why not.
[[noreturn]] void refuse_member(const std::string& name, const std::string& why);
/// Without "./" before it and slashes behind.
std::string bare_member_name(archive_entry* entry);
/// Throws CorruptData for what is no plain file.
void check_is_plain_file(archive_entry* entry, const std::string& name);
/// The file at hand becomes FOLDER/NAME, which must not be there, with `size` bytes, its zeros as holes, on the disk when this returns.
/// Throws CorruptData (bytes behind its end), NoSpace, Failed, and as TarWalk.
void unpack_member(TarWalk& walk, std::uint64_t size, int folder, const std::string& name);

}  // namespace banger::agent
