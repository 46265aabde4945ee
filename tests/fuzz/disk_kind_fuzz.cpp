// SPDX-License-Identifier: GPL-2.0-or-later
// The head of a file that somebody wants to be an image.
#include "agent/core/image/disk_kind.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    // A head that is shorter than it could be is a short file's; else the file may be of any size.
    for (const auto whole : {static_cast<std::uint64_t>(size), std::uint64_t{1} << 40U, UINT64_MAX}) {
        taken(
            [&] {
                const auto facts = agent::examine_disk({data, size}, whole, "disk");
                demand(facts.file_system.bytes() > 0 && facts.file_system.bytes() <= whole,
                       "a file system is not larger than its file");
            },
            ErrorCode::InvalidArgument, ErrorCode::CorruptData);
    }
    return 0;
}
