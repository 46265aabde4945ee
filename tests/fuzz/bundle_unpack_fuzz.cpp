// SPDX-License-Identifier: GPL-2.0-or-later
// A bundle's archive, as it comes from somewhere: nothing leaves the folder, and in it are plain files of good names alone.
#include "agent/system/runtime/bundle_unpack.hpp"
#include "agent/system/sha256.hpp"
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
    agent::Sha256 sum;
    sum.add(tar);
    const auto sha256 = sum.finish();
    const agent::UnpackLimits limits{
        .entries = 8, .sizes = 1 * mib, .stream = 4 * mib, .ratio_free = 1 * mib, .header = 256 * kib};
    jail.run(tar, [&](int fd) {
        const agent::RuntimeProgress progress{
            .stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = {}};
        taken(
            [&] {
                agent::unpack_bundle(fd, sha256, jail.jail(), progress, limits);
                agent::check_bundle_files(jail.jail());
            },
            ErrorCode::CorruptData, ErrorCode::Failed, ErrorCode::NoSpace);
        for (const auto& entry : std::filesystem::directory_iterator{jail.jail()}) {
            const auto name = entry.path().filename().string();
            demand(entry.is_regular_file() && !entry.is_symlink(), "there are plain files alone");
            demand(agent::is_bundle_file(name) || name == agent::bundle_description, "and of good names");
            demand(entry.file_size() <= limits.sizes.bytes(), "within the bounds");
        }
    });
    return 0;
}
