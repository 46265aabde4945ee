// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "agent/ports/artifact_maker.hpp"

namespace banger::agent {

/// The release of a Debian host when we know it, else "bookworm"; of any other host, too.
std::string host_suite();

/// Throws InvalidArgument for a suite that we don't know, naming those that we do.
void check_suite(const std::string& suite);

struct Distribution;

/// Throws HostLacks, with the package that has them, where the keys are not installed by which its signatures are checked.
void check_keys(const Distribution& distribution);

/// apt source lines ("deb [...] URI RELEASE COMPONENTS") for a suite, with its updates and security: the host's own mirrors where it runs that
/// suite, else the public ones. Each is signed by the distribution's keys or is refused. Throws as check_keys().
std::vector<std::string> apt_sources(const std::string& suite);

/// Fetches one package file of a suite and returns its path in `folder`, where apt's working files go, too. Signatures are checked by apt
/// against the distribution's keys, whatever the host's apt is told. Throws HostLacks, Failed (with what apt said), NoSpace, Cancelled.
class PackageSource {
public:
    /// `folder` exists.
    PackageSource(std::string suite, std::filesystem::path folder, const MakingProgress& progress);
    std::filesystem::path fetch(const std::string& package);

private:
    void update();
    std::vector<std::string> apt_get(std::initializer_list<std::string> words) const;

    std::filesystem::path folder_;
    const MakingProgress* progress_;
    bool own_lists_;  ///< else the host's
};

/// Runs a step of making something; its failure becomes an Error: NoSpace where the disk was full, HostLacks where no user namespace could
/// be made, else Failed with the end of its output and where the log is. `folder`: where it runs; empty: in ours.
void run_step(const std::string& what, std::vector<std::string> argv, const std::filesystem::path& log,
              const MakingProgress& progress, std::function<void(std::string_view line)> on_line = {},
              std::vector<std::string> environment = {}, const std::filesystem::path& folder = {});

}  // namespace banger::agent
