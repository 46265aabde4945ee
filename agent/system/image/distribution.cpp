// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/distribution.hpp"

#include <algorithm>

#include "common/error.hpp"
#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

struct Repository {
    std::string uri;
    std::string release;
};

std::vector<Repository> repositories_of(const std::string& suite)
{
    if (distribution_of(suite).name == "ubuntu") {
        const std::string archive = "http://archive.ubuntu.com/ubuntu";
        return {{archive, suite},
                {archive, suite + "-updates"},
                {"http://security.ubuntu.com/ubuntu", suite + "-security"}};
    }
    const std::string archive = "http://deb.debian.org/debian";
    return {{archive, suite}, {archive, suite + "-updates"}, {archive + "-security", suite + "-security"}};
}

std::string all_components(const Distribution& distribution)
{
    std::string words;
    for (const auto component : distribution.components) {
        words += (words.empty() ? "" : " ") + std::string{component};
    }
    return words;
}

std::string all_suites()
{
    std::string words;
    for (const auto& distribution : distributions()) {
        for (const auto suite : distribution.suites) {
            words += (words.empty() ? "" : ", ") + std::string{suite};
        }
    }
    return words;
}

}  // namespace

/// Ubuntu's `virtual` has what a VM needs and is its generic kernel otherwise; docker.io is in its universe.
const std::vector<Distribution>& distributions()
{
    static const std::vector<Distribution> all{
        {.name = "debian",
         .origin = "Debian",
         .keyring = "/usr/share/keyrings/debian-archive-keyring.gpg",
         .keyring_package = "debian-archive-keyring",
         .cloud_kernel = "linux-image-cloud-amd64",
         .generic_kernel = "linux-image-amd64",
         .components = {"main"},
         .suites = {"bookworm", "trixie"}},
        {.name = "ubuntu",
         .origin = "Ubuntu",
         .keyring = "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
         .keyring_package = "ubuntu-keyring",
         .cloud_kernel = "linux-image-virtual",
         .generic_kernel = "linux-image-generic",
         .components = {"main", "universe"},
         .suites = {"jammy", "noble"}},
    };
    return all;
}

const Distribution& distribution_of(const std::string& suite)
{
    std::vector<std::string_view> known;
    for (const auto& distribution : distributions()) {
        if (std::find(distribution.suites.begin(), distribution.suites.end(), suite) != distribution.suites.end()) {
            return distribution;
        }
        known.insert(known.end(), distribution.suites.begin(), distribution.suites.end());
    }
    const auto near = nearest(suite, known);
    throw Error{ErrorCode::InvalidArgument, "unknown suite \"" + shown(suite) + "\"; there are " + all_suites() +
                                                (near ? "; did you mean " + std::string{*near} + "?" : "")};
}

std::vector<std::string> public_source_lines(const std::string& suite)
{
    const auto& distribution = distribution_of(suite);
    std::vector<std::string> lines;
    for (const auto& [uri, release] : repositories_of(suite)) {
        auto& line = lines.emplace_back("deb [signed-by=");
        line.append(distribution.keyring).append("] ").append(uri).append(" ").append(release).append(" ");
        line.append(all_components(distribution));
    }
    return lines;
}

std::string public_sources(const std::string& suite)
{
    const auto& distribution = distribution_of(suite);
    const auto repositories = repositories_of(suite);
    const auto keys =
        "Components: " + all_components(distribution) + "\nSigned-By: " + std::string{distribution.keyring} + "\n";
    return "Types: deb\nURIs: " + repositories[0].uri + "\nSuites: " + repositories[0].release + " " +
           repositories[1].release + "\n" + keys + "\nTypes: deb\nURIs: " + repositories[2].uri +
           "\nSuites: " + repositories[2].release + "\n" + keys;
}

}  // namespace banger::agent
