// SPDX-License-Identifier: GPL-2.0-or-later
// vm.json of an archive: whatever is in it, bangerd gets a whole description of a VM whose disks it knows by name, or one sentence.
#include <set>

#include "agent/core/vm/vm_archive.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    taken(
        [&] {
            const auto contents = agent::parse_vm_archive(text_of({data, size}));
            std::set<std::string> files;
            for (const auto& disk : contents.disks) {
                demand(disk.file == "root.img" || disk.file == "work.img" || disk.file == "image.ext4",
                       "a disk's file is one of three");
                demand(files.insert(disk.file).second, "each once");
                demand(disk.size > 0 && disk.data <= disk.size, "and has at most the data that fit");
            }
            demand(files.contains("root.img") && files.contains("work.img"), "it is whole");
            const auto text = agent::to_text(contents);
            demand(agent::to_text(agent::parse_vm_archive(text)) == text, "what is written is read again");
        },
        ErrorCode::CorruptData);
    return 0;
}
