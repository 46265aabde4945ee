// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stream_packing.hpp"

#include <archive.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "common/error.hpp"

namespace banger::agent {
namespace {

struct PackingMark {
    std::string_view bytes;
    StreamPacking packing;
};
constexpr std::array packing_marks{
    PackingMark{"\x1f\x8b", StreamPacking::Gzip},         PackingMark{{"\xfd\x37zXZ\0", 6}, StreamPacking::Xz},
    PackingMark{"\x28\xb5\x2f\xfd", StreamPacking::Zstd}, PackingMark{"\x04\x22\x4d\x18", StreamPacking::Lz4},
    PackingMark{"\x02\x21\x4c\x18", StreamPacking::Lz4},  // its first format, which kernels have
};

int filter_of(StreamPacking packing)
{
    switch (packing) {
        case StreamPacking::None:
            break;
        case StreamPacking::Gzip:
            return ARCHIVE_FILTER_GZIP;
        case StreamPacking::Xz:
            return ARCHIVE_FILTER_XZ;
        case StreamPacking::Zstd:
            return ARCHIVE_FILTER_ZSTD;
        case StreamPacking::Lz4:
            return ARCHIVE_FILTER_LZ4;
    }
    return ARCHIVE_FILTER_NONE;
}

}  // namespace

StreamPacking packing_of(std::span<const std::uint8_t> begin) noexcept
{
    const std::string_view text{reinterpret_cast<const char*>(begin.data()), begin.size()};
    const auto mark = std::find_if(packing_marks.begin(), packing_marks.end(),
                                   [text](const PackingMark& known) { return text.starts_with(known.bytes); });
    return mark != packing_marks.end() ? mark->packing : StreamPacking::None;
}

void take_packing_off(archive* reader, StreamPacking packing)
{
    // One that is appended bypasses the search. Without any there is nothing to search for.
    if (packing != StreamPacking::None && archive_read_append_filter(reader, filter_of(packing)) != ARCHIVE_OK) {
        throw Error{ErrorCode::HostLacks, "the libarchive here can't unpack that"};
    }
}

}  // namespace banger::agent
