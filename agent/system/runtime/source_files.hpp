// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"
#include "common/error.hpp"

namespace banger::agent {

/// The archives of one fetch, each fetched once: programs share them, and what failed for one program fails for the next one, too.
class SourceFiles {
public:
    /// `folder`: empty, removed by who made it.
    SourceFiles(std::filesystem::path folder, UrlSchemes schemes, const RuntimeProgress& progress)
        : folder_{std::move(folder)}, schemes_{schemes}, progress_{&progress}
    {
    }

    /// Throws as download() and pip_download() do.
    std::filesystem::path get(const RuntimeSource& source);

private:
    struct Outcome {
        std::filesystem::path file;
        std::optional<Error> failure;
    };
    Outcome fetch(const RuntimeSource& source, const std::filesystem::path& place) const;

    std::filesystem::path folder_;
    UrlSchemes schemes_;
    const RuntimeProgress* progress_;
    std::map<std::string, Outcome> outcomes_;  ///< by the source's text
};

}  // namespace banger::agent
