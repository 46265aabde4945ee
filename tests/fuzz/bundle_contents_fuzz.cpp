// SPDX-License-Identifier: GPL-2.0-or-later
// bundle.json: whatever is in it, bangerd gets a whole bundle whose files stay in its folder, or one sentence.
#include <set>

#include "agent/core/runtime/bundle_contents.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    taken(
        [&] {
            const auto contents = agent::parse_bundle_contents(text_of({data, size}), "bundle.json");
            std::set<std::string> files;
            for (const auto& part : contents.parts) {
                demand(agent::bundle_part_kind(part.name).name == part.name, "each part is one that we know");
                demand(part.file.find('/') == std::string::npos && !part.file.starts_with('.') &&
                           !part.file.ends_with(".json"),
                       "a part's file is in the folder, and neither hidden nor a description");
                demand(files.insert(part.file).second, "each has a file of its own");
            }
            demand(contents.find("kernel") != nullptr && contents.find("kernel")->digest.has_value(), "it is whole");
            const auto text = agent::to_text(contents);
            demand(agent::to_text(agent::parse_bundle_contents(text, "b")) == text, "what is written is read again");
        },
        ErrorCode::CorruptData);
    return 0;
}
