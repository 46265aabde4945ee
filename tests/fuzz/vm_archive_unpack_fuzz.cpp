// SPDX-License-Identifier: GPL-2.0-or-later
// A VM's archive, as it comes from somewhere: nothing leaves the folder, and in it are the VM's two disks alone.
#include "agent/system/vm_archive_files.hpp"
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
    jail.run(tar, [&](int fd) {
        const agent::RuntimeProgress progress{
            .stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = {}};
        agent::VmArchiveFiles files;
        taken(
            [&] {
                const auto archive = files.open(UniqueFd{::dup(fd)}, progress);
                archive->unpack({.folder = jail.jail()});
            },
            ErrorCode::CorruptData, ErrorCode::Failed, ErrorCode::NoSpace);
        for (const auto& entry : std::filesystem::directory_iterator{jail.jail()}) {
            const auto name = entry.path().filename().string();
            demand(entry.is_regular_file() && !entry.is_symlink(), "there are plain files alone");
            demand(name == "root.img" || name == "work.img", "and they are the disks");
        }
    });
    return 0;
}
