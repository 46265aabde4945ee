// SPDX-License-Identifier: GPL-2.0-or-later
// A list of packages, whose words become arguments of mmdebstrap, and what apt says of one that isn't there.
#include "agent/core/image/package_list.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check_name(const std::string& name)
{
    demand(name.size() >= 2 && name[0] != '-' && name[0] != '+' && name[0] != '.', "a package is no option");
    demand(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") == std::string::npos,
           "a package has no comma, slash or space");
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    if (const auto unknown = agent::unknown_package(text)) {
        check_name(*unknown);
    }
    taken(
        [&] {
            std::string again;
            const auto packages = agent::parse_package_list(text, "list");
            for (const auto& package : packages) {
                check_name(package.name);
                demand(package.place.starts_with("list:"), "each package knows its line");
                again += package.name + "\n";
            }
            demand(agent::package_names(agent::parse_package_list(again, "list")) == agent::package_names(packages),
                   "a list written out is read back the same");
        },
        ErrorCode::InvalidArgument);
    return 0;
}
