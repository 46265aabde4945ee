// SPDX-License-Identifier: GPL-2.0-or-later
// Names of `vm cp`: those of a guest's archive, and those that a person types.
#include <filesystem>

#include "cli/copy/endpoint.hpp"
#include "cli/copy/member_name.hpp"
#include "cli/signals.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

/// Whether each component is a plain name.
bool stays_inside(const std::string& path)
{
    for (const auto& component : std::filesystem::path{path}) {
        if (component.empty() || component == ".." || component == "." || component == "/") {
            return false;
        }
    }
    return path.find('\0') == std::string::npos && !path.starts_with('/');
}

void check_member(const std::string& member, const cli::Renaming& renaming)
{
    const auto placed = cli::place_member(member, renaming);
    demand(!placed || *placed == "." || stays_inside(*placed), "a member stays in its folder");
    if (placed && !renaming.name.empty()) {
        demand(*placed == renaming.name || placed->starts_with(renaming.name + "/"),
               "a member goes below the new name");
    }
    if (placed) {
        const auto again = cli::place_member(*placed, {renaming.name, renaming.name});
        demand(again == placed, "a name that was placed is placed there again");
    }
}

void check_typed(const std::string& text)
{
    taken(
        [&] {
            const auto endpoint = cli::parse_endpoint(text);
            demand(!endpoint.path.empty(), "an endpoint has a path");
            demand(!endpoint.vm || (!endpoint.vm->empty() && endpoint.path.starts_with('/')),
                   "a guest's path is absolute");
        },
        ErrorCode::InvalidArgument);
    taken(
        [&] {
            const auto path = cli::parse_copy_path(text);
            demand(path.name != ".." && path.name.find('/') == std::string::npos, "a name is one component");
            demand(!path.path.empty() && (path.path == "/" || !path.path.ends_with('/')), "no slash at the end");
        },
        ErrorCode::InvalidArgument);
    taken(
        [&] {
            const int signal = cli::parse_signal(text);
            demand(signal >= 1 && signal <= 64 && cli::parse_signal(std::to_string(signal)) == signal,
                   "a signal is 1 to 64");
        },
        ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::fuzz

/// Shape: what is asked for in the archive, its new name, then a member or an argument.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    Choices choices{{data, size}};
    const auto root = choices.text();
    const auto name = choices.text();
    const std::string text{text_of(choices.rest())};
    if (name.empty() || (stays_inside(name) && name.find('/') == std::string::npos)) {
        check_member(text, {root, name});
    }
    check_typed(text);
    return 0;
}
