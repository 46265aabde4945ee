// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

/// A distribution that images and kernels are made of.
struct Distribution {
    std::string_view name;             ///< as in os-release's ID
    std::string_view origin;           ///< as its Release files have it
    std::string_view keyring;          ///< by which its signatures are checked, on the host
    std::string_view keyring_package;  ///< of the host's, that has it
    std::string_view cloud_kernel;     ///< the package of the flavour for VMs
    std::string_view generic_kernel;
    std::vector<std::string_view> components;
    std::vector<std::string_view> suites;
};

const std::vector<Distribution>& distributions();

/// The one that has this suite. Throws InvalidArgument for a suite that we don't know, naming those that we do.
const Distribution& distribution_of(const std::string& suite);

/// apt source lines ("deb [signed-by=KEYRING] URI RELEASE COMPONENTS") of its public mirrors, with updates and security.
std::vector<std::string> public_source_lines(const std::string& suite);
/// The same as a .sources file, for a guest.
std::string public_sources(const std::string& suite);

}  // namespace banger::agent
