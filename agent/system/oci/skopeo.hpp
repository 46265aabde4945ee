// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/core/image/oci_manifest.hpp"
#include "agent/core/image/oci_source.hpp"
#include "agent/ports/image_puller.hpp"
#include "common/error.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// The folder in the scratch folder where skopeo finds an archive's layout. It is never given the archive itself (archive_unpack.hpp).
inline constexpr auto unpacked_archive = "archive";

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
        std::uint64_t most;            ///< bytes of a blob, where nobody knows yet what to expect
    };
    /// `digest`: of the manifest in a registry; empty: what the source stands for. `expected`: what it will bring, or null where that isn't known
    /// yet.
    void copy(const OciSource& source, const std::string& digest, const OciManifest* expected, const Layout& layout);

private:
    /// What each call begins with. `largest`: bytes of any file that it writes.
    static std::vector<std::string> command(std::uint64_t largest);
    void run(const OciSource& source, std::vector<std::string> argv, const std::filesystem::path& output,
             const std::stop_token& stop);

    std::filesystem::path scratch_;
    std::filesystem::path log_;
    const PullProgress* progress_;
    PullLimits limits_;
    int calls_{0};
};

/// Of skopeo and umoci, with what they map to write to: a registry that makes one of them take more ends it, and not the host's other programs.
inline constexpr ByteSize go_memory_limit = 2 * gib;
/// Where Go's collector works harder, so that nobody comes to that limit by waste.
inline constexpr auto go_memory_goal = "GOMEMLIMIT=1GiB";
/// The words before such a program's own; files that it writes may have so many bytes at most. Throws HostLacks.
std::vector<std::string> go_program_bounds(std::uint64_t largest_file);

/// The sentence in the last line that skopeo or umoci printed, as UTF-8 and not longer than 400 bytes.
std::string sentence_of(const std::string& output);

/// What skopeo's sentence means: the Error to throw.
Error skopeo_error(const OciSource& source, const std::string& sentence);

}  // namespace banger::agent
