// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "agent/ports/image_puller.hpp"
#include "agent/system/oci/layer_check.hpp"
#include "agent/system/oci/skopeo.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// Images by skopeo, umoci and mke2fs, without root. Any worker thread.
class OciPuller final : public ImagePuller {
public:
    /// As check_layers_apart(). Tests look through layers without a process of its own.
    using CheckLayers = std::function<LayerVerdict(const std::vector<LayerFile>&, const LayerBounds&,
                                                   const std::filesystem::path& scratch, const std::stop_token&)>;

    /// `cache`: for blobs. `logs`: a folder for what the programs said, one file an image.
    OciPuller(std::filesystem::path cache, std::filesystem::path logs, CheckLayers check, PullLimits limits = {})
        : cache_{std::move(cache)}, logs_{std::move(logs)}, check_{std::move(check)}, limits_{limits}
    {
    }

    PullOutcome pull(const PullRecipe& recipe, const std::filesystem::path& draft,
                     const PullProgress& progress) override;
    Pruned prune(const PruneRequest& request, const PullProgress& progress) override;

private:
    UniqueFd hold_blobs(int how, const char* refusal) const;
    std::filesystem::path fresh_log(const std::string& name) const;

    std::filesystem::path cache_;
    std::filesystem::path logs_;
    CheckLayers check_;
    PullLimits limits_;
};

}  // namespace banger::agent
