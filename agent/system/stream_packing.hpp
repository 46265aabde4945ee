// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

struct archive;

namespace banger::agent {

enum class StreamPacking { None, Gzip, Xz, Zstd, Lz4 };

/// So many of a stream's first bytes tell how it is packed.
inline constexpr std::size_t packing_mark_size = 6;
/// None: in no way that is known here.
StreamPacking packing_of(std::span<const std::uint8_t> begin) noexcept;

/// Has a reader that is not open yet take off this packing, and nothing that is in it. With archive_read_support_filter_*() libarchive looks for
/// another one in what comes out, and so on, 25 deep: 1 KB that comes to nothing in the end then keeps it busy for days, in one call.
/// Throws HostLacks (a libarchive without it).
void take_packing_off(archive* reader, StreamPacking packing);

}  // namespace banger::agent
