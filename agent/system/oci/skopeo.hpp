// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "agent/core/image/oci_manifest.hpp"
#include "agent/core/image/oci_source.hpp"
#include "agent/ports/image_puller.hpp"
#include "common/error.hpp"

namespace banger::agent {

struct PullLimits {
    std::chrono::seconds answer{30};  ///< for a registry to say what a reference stands for
    std::chrono::seconds stall{30};   ///< in which a download must bring at least 32 KiB
};

/// skopeo(1), which knows registries, credentials, mirrors and policies as their user has set them. Without TLS it speaks to loopback addresses
/// alone. All throw HostLacks, NotFound, NotAuthorized, TimedOut, CorruptData, NoSpace, Cancelled, Failed (it can't be
/// reached, or something else).
class Skopeo {
public:
    /// `scratch`: an empty folder, for what it must put somewhere. Both outlive it.
    Skopeo(std::filesystem::path scratch, std::filesystem::path log, const PullProgress& progress,
           const PullLimits& limits)
        : scratch_{std::move(scratch)}, log_{std::move(log)}, progress_{&progress}, limits_{limits}
    {
    }

    /// The manifest or index that the reference stands for, as its bytes are there; with `digest` the one of that digest in the same place.
    std::string inspect(const OciSource& source, const std::string& digest);

    /// What copy() makes.
    struct Layout {
        std::filesystem::path folder;  ///< an OCI layout that doesn't exist yet; its image gets the tag `pull`
        std::filesystem::path blobs;   ///< where blobs are, those that are there already stay there
    };
    /// `digest`: of the manifest in a registry; empty: what the source stands for. `expected`: what it will bring, or null where that isn't known
    /// yet.
    void copy(const OciSource& source, const std::string& digest, const OciManifest* expected, const Layout& layout);

private:
    std::vector<std::string> base() const;
    void run(const OciSource& source, std::vector<std::string> argv, const std::filesystem::path& output,
             const std::stop_token& stop);

    std::filesystem::path scratch_;
    std::filesystem::path log_;
    const PullProgress* progress_;
    PullLimits limits_;
    int calls_{0};
};

/// The sentence in the last line that skopeo or umoci printed, as UTF-8 and not longer than 400 bytes.
std::string sentence_of(const std::string& output);

/// What skopeo's sentence means: the Error to throw.
Error skopeo_error(const OciSource& source, const std::string& sentence);

}  // namespace banger::agent
