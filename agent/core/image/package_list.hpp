// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

/// A package that somebody asked for, and where.
struct ListedPackage {
    std::string name;
    std::string place;  ///< "FILE:LINE", or the option that named it
    bool operator==(const ListedPackage&) const = default;
};

/// The names in a package list: one a line or several, `#` begins a comment. Throws InvalidArgument (NAME:LINE) for what is no package name
/// (Debian policy 5.6.1).
std::vector<ListedPackage> parse_package_list(std::string_view text, const std::string& name);

/// As above, of one word that came with an option. Throws InvalidArgument that names the option.
ListedPackage parse_package(const std::string& word, const std::string& option);

std::vector<std::string> package_names(const std::vector<ListedPackage>& packages);

/// The package that apt's line of output says isn't there; none for any other line.
std::optional<std::string> unknown_package(std::string_view line);

/// A sentence that says of each of the `unknown` where it was asked for: "packages.apt:7: there is no package \"x\" in bookworm".
std::string explain_unknown(const std::vector<std::string>& unknown, const std::vector<ListedPackage>& packages,
                            const std::string& suite);

}  // namespace banger::agent
