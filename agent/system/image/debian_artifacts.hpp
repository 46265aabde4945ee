// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "agent/ports/artifact_maker.hpp"
#include "agent/system/confinement.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/root_tree.hpp"

namespace banger::agent {

/// Images by mmdebstrap or of disks that are there, kernels from a distribution's packages or the user's files, without root. Any worker
/// thread.
class DebianArtifacts final : public ArtifactMaker {
public:
    /// `logs`: a folder for what the programs said: image-build/NAME.log and kernel-import/NAME.log. `guest`: the banger-guest program; empty
    /// where none was found. `confine`: for what reads a disk that a guest had.
    DebianArtifacts(std::filesystem::path logs, std::filesystem::path guest, Confine confine = {})
        : logs_{std::move(logs)}, guest_{std::move(guest)}, confine_{std::move(confine)}
    {
    }

    std::string default_suite() const override;
    std::string default_package_list() const override;
    void build_image(const ImageRecipe& recipe, const std::filesystem::path& draft,
                     const MakingProgress& progress) override;
    Standing standing_of(const std::filesystem::path& image, const ImageRecipe& recipe) override;
    bool is_copy_of(const std::filesystem::path& image, const DiskSource& source) override;
    void take_file(const DiskSource& source, const std::filesystem::path& draft,
                   const MakingProgress& progress) override;
    void take_disk(const DiskSource& source, const std::filesystem::path& draft,
                   const MakingProgress& progress) override;
    bool is_whole(const std::filesystem::path& image, const Digest& digest, const MakingProgress& progress) override;
    void import_kernel(const KernelRecipe& recipe, const std::filesystem::path& draft,
                       const MakingProgress& progress) override;
    std::string kernel_origin(const KernelRecipe& recipe) const override;
    void refresh_initrd(const std::filesystem::path& kernel) override;
    void seal(const std::filesystem::path& artifact) override;
    void discard(const std::filesystem::path& draft) noexcept override;

private:
    static std::string begin_tree(const ImageRecipe& recipe, TreeRecipe& tree, const MakingProgress& progress);
    static ByteSize size_of(const ImageRecipe& recipe);
    static void finish_image(ArtifactDraft& work, const std::string& name, const std::string& origin,
                             const MakingProgress& progress, const nlohmann::json& more);
    std::filesystem::path fresh_log(const char* kind, const std::string& name) const;
    const std::filesystem::path& guest() const;

    std::filesystem::path logs_;
    std::filesystem::path guest_;
    Confine confine_;
};

}  // namespace banger::agent
