// SPDX-License-Identifier: GPL-2.0-or-later
// A list of packages, whose words become arguments of mmdebstrap.
#include "agent/system/image/root_tree.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    taken(
        [&] {
            std::string again;
            const auto packages = agent::parse_package_list(text_of({data, size}), "list");
            for (const auto& package : packages) {
                demand(package.size() >= 2 && package[0] != '-' && package[0] != '+' && package[0] != '.',
                       "a package is no option");
                demand(package.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") == std::string::npos,
                       "a package has no comma, slash or space");
                again += package + "\n";
            }
            demand(agent::parse_package_list(again, "list") == packages, "a list written out is read back the same");
        },
        ErrorCode::InvalidArgument);
    return 0;
}
