// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel that somebody imports: what is packed in it is in it, and unpacks to an ELF file of a bounded size or to a sentence.
#include "agent/core/image/vmlinuz.hpp"
#include "agent/system/image/unpack.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

constexpr std::size_t limit = std::size_t{256} << 10U;

bool is_within(ByteView part, ByteView whole)
{
    return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void check_unpacked(ByteView packed)
{
    taken(
        [&] {
            const auto elf = agent::unpack(packed, limit, "kernel");
            demand(elf.size() <= limit, "nothing unpacks to more than the limit");
            agent::check_vmlinux(elf, "kernel");
            demand(agent::find_kernel_payload(elf, "kernel").kind == agent::KernelPayload::Kind::Elf,
                   "what was unpacked is a kernel by itself");
        },
        ErrorCode::CorruptData);
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    const fuzz::ByteView file{data, size};
    taken(
        [&] {
            const auto payload = agent::find_kernel_payload(file, "kernel");
            demand(!payload.bytes.empty() && is_within(payload.bytes, file), "a payload is a part of its file");
            if (payload.kind == agent::KernelPayload::Kind::Packed) {
                check_unpacked(payload.bytes);
            } else {
                demand(payload.bytes.size() == size, "an ELF file is taken whole");
            }
        },
        ErrorCode::CorruptData);
    return 0;
}
