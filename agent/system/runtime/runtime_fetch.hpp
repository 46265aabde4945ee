// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "agent/core/runtime/bundle.hpp"
#include "agent/ports/runtime.hpp"
#include "agent/system/runtime/source_files.hpp"

namespace banger::agent {

/// One fetch of what a bundle names. Each program is put as soon as it is whole and checked, so one that fails takes none back.
class RuntimeFetch {
public:
    /// `folder`: for the programs. `scratch`: empty, on the same file system, removed by the caller.
    RuntimeFetch(const RuntimeBundle& bundle, std::filesystem::path folder, std::filesystem::path scratch,
                 const RuntimeProgress& progress);

    /// From the sources of the manifest, in order.
    FetchOutcome from_sources();
    /// From a file or folder of the user's: what isn't in it is `missing`.
    FetchOutcome from_local(const std::filesystem::path& from);

private:
    bool is_there(const BundledProgram& program) const;
    void fetch_program(const BundledProgram& program);
    void take_local_program(const BundledProgram& program, const std::filesystem::path& from);
    bool put(const BundledProgram& program, const std::filesystem::path& file, const std::string& member,
             const std::string& origin) const;

    const RuntimeBundle* bundle_;
    std::filesystem::path folder_;
    std::filesystem::path scratch_;
    const RuntimeProgress* progress_;
    SourceFiles sources_;
    FetchOutcome outcome_;
};

}  // namespace banger::agent
