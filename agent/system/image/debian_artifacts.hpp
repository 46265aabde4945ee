// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/ports/artifact_maker.hpp"

namespace banger::agent {

/// Images by mmdebstrap, kernels from Debian's packages or the user's files, without root. Any worker thread.
class DebianArtifacts final : public ArtifactMaker {
public:
    /// `logs`: a folder for what the programs said, one file an artifact. `guest`: the banger-guest program; empty where none was found.
    DebianArtifacts(std::filesystem::path logs, std::filesystem::path guest)
        : logs_{std::move(logs)}, guest_{std::move(guest)}
    {
    }

    std::string default_suite() const override;
    std::string default_package_list() const override;
    void build_image(const ImageRecipe& recipe, const std::filesystem::path& draft,
                     const MakingProgress& progress) override;
    void import_kernel(const KernelRecipe& recipe, const std::filesystem::path& draft,
                       const MakingProgress& progress) override;
    void refresh_initrd(const std::filesystem::path& kernel) override;
    void discard(const std::filesystem::path& draft) noexcept override;

private:
    std::filesystem::path fresh_log(const std::string& name) const;
    const std::filesystem::path& guest() const;

    std::filesystem::path logs_;
    std::filesystem::path guest_;
};

}  // namespace banger::agent
