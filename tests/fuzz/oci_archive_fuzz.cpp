// SPDX-License-Identifier: GPL-2.0-or-later
// An OCI archive, as it comes from somewhere: nothing leaves the folder, and in it is a layout's skeleton with plain files alone.
#include "agent/core/image/oci_source.hpp"
#include "agent/system/oci/archive_unpack.hpp"
#include "tests/fuzz/jail.hpp"
#include "tests/fuzz/tar_maker.hpp"

/// Shape: as make_tar() takes it; what it makes may be packed or not.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    static Jail jail;
    Choices choices{{data, size}};
    const auto tar = make_tar(choices);
    const agent::LayerBounds bounds{std::uint64_t{1} << 20U, 8};
    jail.run(tar, [&](int) {
        agent::PullProgress progress;
        progress.stage = [](const std::string&) {};
        progress.fraction = [](double) {};
        const auto archive = jail.jail() / "image.tar";  // where nobody can read it
        std::ofstream{archive, std::ios::binary}.write(reinterpret_cast<const char*>(tar.data()),
                                                       static_cast<std::streamsize>(tar.size()));
        taken([&] { agent::unpack_oci_archive(archive, jail.jail(), bounds, progress); }, ErrorCode::CorruptData,
              ErrorCode::Failed, ErrorCode::NoSpace);
        for (const auto& entry : std::filesystem::recursive_directory_iterator{jail.jail()}) {
            const auto name = entry.path().lexically_relative(jail.jail()).string();
            if (entry.is_directory() && !entry.is_symlink()) {
                demand(name == "blobs" || name == "blobs/sha256", "there are a layout's folders alone");
                continue;
            }
            const bool is_blob = name.starts_with("blobs/sha256/") && agent::is_oci_digest("sha256:" + name.substr(13));
            demand(entry.is_regular_file() && !entry.is_symlink(), "and plain files");
            demand(is_blob || name == "index.json" || name == "oci-layout" || entry.path() == archive, "of its names");
            demand(entry.file_size() <= bounds.bytes || entry.path() == archive, "within the bounds");
        }
    });
    return 0;
}
