// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/stream_packing.hpp"

#include <gtest/gtest.h>

#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

using test::file_bytes;
using test::packed;

TEST(StreamPackingTest, TheFirstBytesTell)
{
    const auto bytes = file_bytes("some text");
    EXPECT_EQ(packing_of(packed(bytes, archive_write_add_filter_gzip)), StreamPacking::Gzip);
    EXPECT_EQ(packing_of(packed(bytes, archive_write_add_filter_xz)), StreamPacking::Xz);
    EXPECT_EQ(packing_of(packed(bytes, archive_write_add_filter_zstd)), StreamPacking::Zstd);
    EXPECT_EQ(packing_of(packed(bytes, archive_write_add_filter_lz4)), StreamPacking::Lz4);
    EXPECT_EQ(packing_of(packed(bytes, archive_write_add_filter_bzip2)), StreamPacking::None);
    EXPECT_EQ(packing_of(bytes), StreamPacking::None);
    EXPECT_EQ(packing_of(file_bytes("\x1f")), StreamPacking::None);
    EXPECT_EQ(packing_of({}), StreamPacking::None);
}

}  // namespace
}  // namespace banger::agent
