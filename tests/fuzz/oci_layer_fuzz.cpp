// SPDX-License-Identifier: GPL-2.0-or-later
// A layer of an image, before anything unpacks it.
#include <filesystem>
#include <fstream>

#include "agent/system/oci/layer_check.hpp"
#include "agent/system/sha256.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/fuzz/tar_maker.hpp"

/// Shape: how it is packed, then as make_tar() takes it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    static const agent::test::TemporaryFolder folder;
    Choices choices{{data, size}};
    const auto packing = static_cast<agent::OciDescriptor::Packing>(choices.byte() % 3U);
    const auto tar = make_tar(choices);
    const auto file = folder.path / "layer";
    std::ofstream{file, std::ios::binary | std::ios::trunc}.write(reinterpret_cast<const char*>(tar.data()),
                                                                  static_cast<std::streamsize>(tar.size()));
    agent::Sha256 sum;
    sum.add(tar);
    const auto digest = "sha256:" + sum.finish().str();
    const agent::LayerBounds bounds{std::uint64_t{1} << 20U, 100};
    taken(
        [&] {
            const auto verdict =
                agent::check_layers({{file, {.digest = digest, .size = tar.size(), .packing = packing}}}, bounds, {});
            demand(verdict.bytes <= bounds.bytes && verdict.entries <= bounds.entries,
                   "what is let through is within bounds");
            demand(verdict.wrong_blob.empty(), "none is wrong that has its digest");
        },
        ErrorCode::CorruptData);
    return 0;
}
