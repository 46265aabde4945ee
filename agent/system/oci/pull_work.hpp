// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/image/image_config.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/oci/oci_puller.hpp"

namespace banger::agent {

/// One pull, step by step. Each step throws as ImagePuller::pull().
class PullWork {
public:
    struct Places {
        std::filesystem::path draft;
        std::filesystem::path blobs;  ///< the cache
        std::filesystem::path log;
    };
    PullWork(const PullRecipe& recipe, Places places, const OciPuller::CheckLayers& check, const PullLimits& limits,
             const PullProgress& progress);

    PullOutcome run();

private:
    void find_tools() const;
    /// What the reference stands for, as far as that can be known before anything is downloaded. False: it is what is there already.
    bool ask();
    void check_manifest(const std::string& text, const std::string& digest);
    void unpack_archive();
    /// Brings the blobs; false: one in the cache was not what it should be, and is gone now.
    bool bring();
    void read_layout();
    bool check();
    void unpack();
    void make_disk();

    std::filesystem::path blob(const std::string& digest) const;
    std::string read_document(const OciDescriptor& descriptor) const;
    LayerBounds bounds() const;
    bool is_there_already() const;

    const PullRecipe* recipe_;
    Places places_;
    const OciPuller::CheckLayers* check_;
    const PullProgress* progress_;
    ArtifactDraft draft_;
    Skopeo skopeo_;
    int tries_{0};
    std::string digest_;                   ///< what the reference stands for
    std::string manifest_digest_;          ///< the manifest for this platform
    std::optional<OciManifest> expected_;  ///< as the source has it
    OciManifest manifest_;                 ///< as it is in the layout
    std::vector<std::string> blobs_;       ///< all that were brought, for image.json
    ImageConfig config_;
};

}  // namespace banger::agent
