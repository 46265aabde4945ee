// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"
#include "agent/system/runtime/bundle_home.hpp"

namespace banger::agent {

/// Firecracker and jailer in FOLDER/VERSION/, or in a bundle, which goes before. The manifest is read anew by each call, so that a mistake
/// in a given one is told to who asked. Any thread, but for fetch(), of which one runs at a time.
class RuntimeFolder final : public RuntimePrograms {
public:
    /// `folder` is asked by each call, too: it may be set to another one meanwhile. Both on any thread.
    /// `bundles`: nullptr where there are none.
    RuntimeFolder(std::function<std::filesystem::path()> folder, std::function<RuntimeBundle()> manifest,
                  BundleHome* bundles = nullptr)
        : folder_{std::move(folder)}, manifest_{std::move(manifest)}, bundles_{bundles}
    {
    }
    RuntimeFolder(std::filesystem::path folder, std::function<RuntimeBundle()> manifest)
        : RuntimeFolder{[folder = std::move(folder)] { return folder; }, std::move(manifest)}
    {
    }

    std::filesystem::path find(std::string_view name) const override;
    std::vector<RuntimeProgram> list() const override;
    std::vector<RuntimeProgram> verify(const std::stop_token& stop) const override;
    FetchOutcome fetch(const std::filesystem::path& from, const RuntimeProgress& progress) override;

private:
    std::vector<RuntimeProgram> with_programs_beside(
        std::vector<RuntimeProgram> rows,
        const std::function<RuntimeProgram(const RuntimeBundle&, const BundledProgram&)>& look) const;
    bool has_bundled_firecracker(const std::stop_token& stop) const;
    RuntimeProgram look_at(const RuntimeBundle& bundle, const BundledProgram& program) const;

    std::function<std::filesystem::path()> folder_;
    std::function<RuntimeBundle()> manifest_;
    BundleHome* bundles_{nullptr};
};

}  // namespace banger::agent
