// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/core/image/oci_source.hpp"
#include "agent/ports/artifact_maker.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// What an image is to be pulled from, and as what.
struct PullRecipe {
    std::string name;
    OciSource source;
    ByteSize size;  ///< of the file system as the guest sees it
    std::string
        there_already;  ///< an origin: a source that has still just that is not pulled again; empty: always pulled
};

/// How far it got; called on the puller's thread.
struct PullProgress : MakingProgress {
    std::function<void(double fraction)> fraction;  ///< of the stage
};

enum class PullOutcome { Made, ThereAlready };

/// What a prune may take, and what it took.
struct PruneRequest {
    std::vector<std::filesystem::path> images;  ///< folders of images whose blobs stay
    std::vector<std::filesystem::path> drafts;  ///< all; what somebody makes, or has made and not taken in, stays
};
struct Pruned {
    std::uint64_t blobs{0};
    std::uint64_t bytes{0};  ///< of them
    std::uint64_t drafts{0};
};

/// Makes images from OCI images. Called on a worker thread, for minutes. Blobs stay in a cache of their own, so that a pull which was cut off goes
/// on with those that it has.
class ImagePuller {
public:
    ImagePuller() = default;
    ImagePuller(const ImagePuller&) = delete;
    ImagePuller& operator=(const ImagePuller&) = delete;
    virtual ~ImagePuller() = default;

    /// The origin that an image gets: the reference, and the digest that it stood for.
    static std::string origin_of(const OciSource& source, const std::string& digest)
    {
        return source.reference + "@" + digest;
    }
    /// As ArtifactMaker::build_image(): a draft that doesn't exist yet holds a whole image, or is gone; with ThereAlready, too. Throws HostLacks,
    /// NotFound, NotAuthorized, CorruptData, TimedOut, NoSpace, InUse (another bangerd prunes), Cancelled, Failed.
    virtual PullOutcome pull(const PullRecipe& recipe, const std::filesystem::path& draft,
                             const PullProgress& progress) = 0;
    /// Removes what may be downloaded again. This process may pull nothing meanwhile. Throws InUse (another bangerd pulls), Cancelled, Failed.
    virtual Pruned prune(const PruneRequest& request, const PullProgress& progress) = 0;
};

}  // namespace banger::agent
