// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "agent/ports/artifacts.hpp"

namespace banger::agent {

/// Images or kernels in a cache folder: FOLDER/DIGEST/ with the files and a description. The folders are the truth; there is no index. Another bangerd
/// may share the folder: what comes and goes there is seen by the folder's time.
class ArtifactCatalog final : public Artifacts {
public:
    /// `description`: image.json or kernel.json. Folders that hold no whole artifact are passed over.
    ArtifactCatalog(std::filesystem::path folder, std::string description);

    std::optional<Artifact> find(std::string_view name) const override;
    std::vector<Artifact> list() const override;

    std::filesystem::path draft(const std::string& name) const override;
    std::vector<std::filesystem::path> drafts() const override;
    Artifact adopt(const std::filesystem::path& draft, const std::function<bool(const Digest&)>& in_use) override;
    void remove(const Digest& digest) override;
    void check(const Artifact& artifact) const override;
    void restamp(const Digest& digest) override;
    void mark_damaged(const Artifact& read) override;
    std::filesystem::path set_aside(const Digest& digest) override;
    std::optional<std::filesystem::path> set_aside_nameless(const Digest& digest) override;

private:
    void reload() const;
    void look_again() const;
    void put_in_place(const std::filesystem::path& draft, const Artifact& made);
    void give_way(const Artifact& older, bool is_used);
    void change(const std::filesystem::path& folder, const std::function<void(nlohmann::json&)>& what) const;

    std::filesystem::path folder_;
    std::string description_;
    mutable std::vector<Artifact> artifacts_;
    mutable std::int64_t seen_{0};  ///< the folder's time as they were read, in ns; 0: they may have changed since
};

}  // namespace banger::agent
