// SPDX-License-Identifier: GPL-2.0-or-later
// This host's side of `vm cp` out of a guest.
#include "cli/copy/archive.hpp"
#include "tests/fuzz/jail.hpp"
#include "tests/fuzz/tar_maker.hpp"

/// Shape: how names are replaced, then as make_tar() takes it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    static Jail jail;
    Choices choices{{data, size}};
    const auto mode = choices.byte();
    const cli::Renaming renaming{(mode & 1U) != 0 ? "src" : "", (mode & 2U) != 0 ? "dst" : ""};
    const auto owners = (mode & 4U) != 0 ? cli::Owners::Archive : cli::Owners::Receiver;
    jail.run(make_tar(choices), [&](int fd) {
        taken([&] { cli::unpack(fd, jail.jail(), renaming, owners, [](std::size_t) {}); }, ErrorCode::CorruptData,
              ErrorCode::Failed, ErrorCode::NoSpace, ErrorCode::NotFound);
        if (!renaming.name.empty() && !renaming.root.empty()) {
            for (const auto& entry : std::filesystem::directory_iterator{jail.jail()}) {
                demand(entry.path().filename() == renaming.name, "everything is below the new name");
            }
        }
    });
    return 0;
}
